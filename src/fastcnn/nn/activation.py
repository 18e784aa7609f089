"""Neurons: functions by element, and softmax."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.engine.parameter import Parameter
from fastcnn.nn import functional
from fastcnn.nn.module import Module
from fastcnn.nn.options import check_extents, gelu_kind


class Identity(Module):
    """x."""

    def forward(self, x: Any) -> Any:
        return x


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Any) -> Any:
        return functional.relu(x)


class ReLU6(Module):
    """min(max(x, 0), 6)."""

    def forward(self, x: Any) -> Any:
        return functional.relu6(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Any) -> Any:
        return functional.sigmoid(x)


class Tanh(Module):
    """a tanh(b x). LeCun's a = 1.7159, b = 2/3 ("Efficient BackProp", 1998) keeps variances near 1."""

    def __init__(self, a: float = 1.0, b: float = 1.0) -> None:
        super().__init__()
        self.a = a
        self.b = b
        _core.make_op("activation", function="tanh", a=a, b=b)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.tanh(x, self.a, self.b)

    def extra_repr(self) -> str:
        return "" if (self.a, self.b) == (1.0, 1.0) else f"a={self.a}, b={self.b}"


class LeakyReLU(Module):
    """x where x > 0, else negative_slope x [Maas, Hannun and Ng, 2013]."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        _core.make_op("activation", function="leaky_relu", a=negative_slope)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x where x > 0, else weight x, the slope learned [He et al., "Delving deep into rectifiers", 2015].

    Names and defaults are PyTorch's. He et al. let no weight decay act on slopes: give them a parameter group
    of their own where that matters.

    Args:
        num_parameters: 1 for one slope, or the channels of x, (n, c) or (n, c, h, w), for a slope each.
        init: the slopes at the start.

    Attributes:
        weight: Parameter (num_parameters).
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        check_extents("PReLU", num_parameters=num_parameters)
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter((num_parameters,))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The values at the start."""
        self.weight.value[...] = self.init

    def forward(self, x: Any) -> Any:
        return functional.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class NoisyReLU(Module):
    """In training max(x + sqrt(sigmoid(x)) z, 0) with z standard normal, else max(x, 0).

    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines" (2010), section 2.
    cuda-convnet2's files may say neuron=nrelu, "max(0, x) + noise", which its core doesn't know; this is what
    the name stands for. The noise follows from `fastcnn.manual_seed` as dropout's masks do.
    """

    def forward(self, x: Any) -> Any:
        return functional.noisy_relu(x, self.training)


class BoundedReLU(Module):
    """min(max(x, 0), a), a > 0: cuda-convnet's brelu[a]."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = a
        _core.make_op("activation", function="bounded_relu", a=a)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.bounded_relu(x, self.a)

    def extra_repr(self) -> str:
        return f"a={self.a}"


class DoubleReLU(Module):
    """x - a tanh(x / a): cuda-convnet2's drelu[a], flat around 0 and nearly straight beyond ±a."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = a
        _core.make_op("activation", function="double_relu", a=a)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.double_relu(x, self.a)

    def extra_repr(self) -> str:
        return f"a={self.a}"


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, beta > 0 [Dugas et al., 2001]: cuda-convnet's softrelu.

    Exact over the whole range, so without PyTorch's threshold.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta
        _core.make_op("activation", function="softplus", a=beta)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.softplus(x, self.beta)

    def extra_repr(self) -> str:
        return f"beta={self.beta}"


class ELU(Module):
    """x where x > 0, else alpha (exp(x) - 1), alpha >= 0 [Clevert, Unterthiner and Hochreiter, 2016]."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha
        _core.make_op("activation", function="elu", a=alpha)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x Phi(x), Phi being the normal distribution [Hendrycks and Gimpel, 2016].

    Args:
        approximate: "tanh" for x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))), else "none".
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate
        gelu_kind(approximate)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x / (1 + exp(-x)) [Elfwing, Uchibe and Doya, 2017]: Swish."""

    def forward(self, x: Any) -> Any:
        return functional.silu(x)


class Mish(Module):
    """x tanh(log(1 + exp(x))) [Misra, "Mish: a self regularized non-monotonic activation function", 2020]."""

    def forward(self, x: Any) -> Any:
        return functional.mish(x)


class Hardsigmoid(Module):
    """min(max(x / 6 + 1/2, 0), 1) [Howard et al., "Searching for MobileNetV3", 2019]."""

    def forward(self, x: Any) -> Any:
        return functional.hardsigmoid(x)


class Hardswish(Module):
    """x min(max(x / 6 + 1/2, 0), 1) [Howard et al., "Searching for MobileNetV3", 2019]."""

    def forward(self, x: Any) -> Any:
        return functional.hardswish(x)


class Abs(Module):
    """|x|."""

    def forward(self, x: Any) -> Any:
        return functional.absolute(x)


class AbsTanh(Module):
    """a |tanh(b x)|: cuda-convnet's abstanh[a,b]."""

    def __init__(self, a: float = 1.0, b: float = 1.0) -> None:
        super().__init__()
        self.a = a
        self.b = b
        _core.make_op("activation", function="abs_tanh", a=a, b=b)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.abs_tanh(x, self.a, self.b)

    def extra_repr(self) -> str:
        return f"a={self.a}, b={self.b}"


class Sqrt(Module):
    """Square root; NaN below 0."""

    def forward(self, x: Any) -> Any:
        return functional.sqrt(x)


class Log(Module):
    """Natural logarithm of x + a: cuda-convnet2's log[a]."""

    def __init__(self, a: float = 0.0) -> None:
        super().__init__()
        self.a = a
        _core.make_op("activation", function="log", a=a)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.log(x, self.a)

    def extra_repr(self) -> str:
        return f"a={self.a}"


class Square(Module):
    """x²."""

    def forward(self, x: Any) -> Any:
        return functional.square(x)


class Affine(Module):
    """a x + b by element: the linear neuron, its coefficients fixed."""

    def __init__(self, a: float = 1.0, b: float = 0.0) -> None:
        super().__init__()
        self.a = a
        self.b = b
        _core.make_op("activation", function="linear", a=a, b=b)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.affine(x, self.a, self.b)

    def extra_repr(self) -> str:
        return f"a={self.a}, b={self.b}"


class Softmax(Module):
    """exp(x) / sum of exp(x) along axis `dim`. CrossEntropyLoss has it built in."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        return functional.softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
