"""Functions by element."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.nn.options import gelu_kind
from fastcnn.ops._run import backward, forward, only


def relu(x: Any) -> Array:
    """max(x, 0), any shape."""
    return forward(_activation("relu"), x)


def relu_backward(dy: Any, x: Any) -> Array:
    """dx of `relu`: dy where x > 0, else 0."""
    return only(backward(_activation("relu"), dy, x))


def relu6(x: Any) -> Array:
    """min(max(x, 0), 6), any shape [Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010]."""
    return forward(_activation("relu6"), x)


def relu6_backward(dy: Any, x: Any) -> Array:
    """dx of `relu6`: dy where 0 < x < 6, else 0."""
    return only(backward(_activation("relu6"), dy, x))


def sigmoid(x: Any) -> Array:
    """y = 1 / (1 + exp(-x)), any shape."""
    return forward(_activation("sigmoid"), x)


def sigmoid_backward(dy: Any, x: Any) -> Array:
    """dx of `sigmoid`: dy y (1 - y)."""
    return only(backward(_activation("sigmoid"), dy, x))


def tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """y = a tanh(b x), any shape [LeCun et al., "Efficient BackProp", 1998: a = 1.7159, b = 2/3]."""
    return forward(_activation("tanh", a=a, b=b), x)


def tanh_backward(dy: Any, x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """dx of `tanh`: dy a b (1 - tanh²(b x)) = dy b / a (a² - y²)."""
    return only(backward(_activation("tanh", a=a, b=b), dy, x))


def square(x: Any) -> Array:
    """x², any shape."""
    return forward(_activation("square"), x)


def square_backward(dy: Any, x: Any) -> Array:
    """dx of `square`: 2 x dy."""
    return only(backward(_activation("square"), dy, x))


def affine(x: Any, a: float = 1.0, b: float = 0.0) -> Array:
    """a x + b by element, any shape: the linear neuron."""
    return forward(_activation("linear", a=a, b=b), x)


def affine_backward(dy: Any, x: Any, a: float = 1.0, b: float = 0.0) -> Array:
    """dx of `affine`: a dy."""
    return only(backward(_activation("linear", a=a, b=b), dy, x))


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Array:
    """x where x > 0, else negative_slope x [Maas, Hannun and Ng, 2013]."""
    return forward(_activation("leaky_relu", a=negative_slope), x)


def leaky_relu_backward(dy: Any, x: Any, negative_slope: float = 0.01) -> Array:
    """dx of `leaky_relu`: dy where x > 0, else negative_slope dy."""
    return only(backward(_activation("leaky_relu", a=negative_slope), dy, x))


def prelu(x: Any, w: Any) -> Array:
    """x where x > 0, else w x [He et al., "Delving deep into rectifiers", 2015].

    Args:
        x: any shape with one slope, else (n, c) or (n, c, h, w).
        w: (1), or (c): a slope per channel.
    """
    return forward(make_op("prelu"), x, w)


def prelu_backward(dy: Any, x: Any, w: Any) -> tuple[Array, Array]:
    """(dx, dw) of `prelu`: dy where x > 0, else w dy; the sum of dy x where x <= 0, by slope."""
    dx, dw = backward(make_op("prelu"), dy, x, w)
    assert dx is not None and dw is not None
    return dx, dw


def noisy_relu(x: Any, *, seed: int = 0, step: int = 0, stream: int = 0, training: bool = True) -> Array:
    """max(x + sqrt(sigmoid(x)) z, 0), z standard normal; max(x, 0) unless training.

    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines" (2010), section 2: noise
    of variance sigmoid(x). z is a pure function of (seed, step, stream) and of the place.
    """
    return forward(make_op("noisy_relu", stream=stream), x, training=training, state=(seed, step))


def noisy_relu_backward(dy: Any, x: Any, *, seed: int = 0, step: int = 0, stream: int = 0) -> Array:
    """dx of `noisy_relu` in training: dy (1 + z sqrt(s) (1 - s) / 2), s = sigmoid(x), where y > 0; else 0."""
    return only(backward(make_op("noisy_relu", stream=stream), dy, x, state=(seed, step)))


def bounded_relu(x: Any, a: float) -> Array:
    """min(max(x, 0), a), a > 0: cuda-convnet's brelu[a]."""
    return forward(_activation("bounded_relu", a=a), x)


def bounded_relu_backward(dy: Any, x: Any, a: float) -> Array:
    """dx of `bounded_relu`: dy where 0 < x < a, else 0."""
    return only(backward(_activation("bounded_relu", a=a), dy, x))


def double_relu(x: Any, a: float) -> Array:
    """x - a tanh(x / a): cuda-convnet2's drelu[a], flat around 0 and nearly straight beyond ±a."""
    return forward(_activation("double_relu", a=a), x)


def double_relu_backward(dy: Any, x: Any, a: float) -> Array:
    """dx of `double_relu`: dy tanh²(x / a)."""
    return only(backward(_activation("double_relu", a=a), dy, x))


def softplus(x: Any, beta: float = 1.0) -> Array:
    """y = log(1 + exp(beta x)) / beta, beta > 0 [Dugas et al., 2001]: cuda-convnet's softrelu.

    Exact over the whole range: there is no threshold (PyTorch's 20, cuda-convnet's 4) beyond which y = x.
    """
    return forward(_activation("softplus", a=beta), x)


def softplus_backward(dy: Any, x: Any, beta: float = 1.0) -> Array:
    """dx of `softplus`: dy sigmoid(beta x) = dy (1 - exp(-beta y))."""
    return only(backward(_activation("softplus", a=beta), dy, x))


def elu(x: Any, alpha: float = 1.0) -> Array:
    """y = x where x > 0, else alpha (exp(x) - 1), alpha >= 0 [Clevert, Unterthiner and Hochreiter, 2016]."""
    return forward(_activation("elu", a=alpha), x)


def elu_backward(dy: Any, x: Any, alpha: float = 1.0) -> Array:
    """dx of `elu`: dy where x > 0, else dy (y + alpha)."""
    return only(backward(_activation("elu", a=alpha), dy, x))


def gelu(x: Any, approximate: str = "none") -> Array:
    """x Phi(x), Phi being the normal distribution [Hendrycks and Gimpel, 2016].

    Args:
        approximate: "tanh" for x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))), the same within 5e-4.
    """
    return forward(make_op("activation", function=gelu_kind(approximate)), x)


def gelu_backward(dy: Any, x: Any, approximate: str = "none") -> Array:
    """dx of `gelu`: dy (Phi(x) + x exp(-x² / 2) / sqrt(2 pi)), or the derivative of the other formula."""
    return only(backward(make_op("activation", function=gelu_kind(approximate)), dy, x))


def silu(x: Any) -> Array:
    """x sigmoid(x) [Elfwing, Uchibe and Doya, 2017]: Swish."""
    return forward(_activation("silu"), x)


def silu_backward(dy: Any, x: Any) -> Array:
    """dx of `silu`: dy s (1 + x (1 - s)) with s = sigmoid(x)."""
    return only(backward(_activation("silu"), dy, x))


def mish(x: Any) -> Array:
    """x tanh(log(1 + exp(x))), any shape [Misra, "Mish: a self regularized non-monotonic activation
    function", 2020]."""
    return forward(_activation("mish"), x)


def mish_backward(dy: Any, x: Any) -> Array:
    """dx of `mish`: dy (t + x (1 - t²) sigmoid(x)) with t = tanh(log(1 + exp(x)))."""
    return only(backward(_activation("mish"), dy, x))


def hardsigmoid(x: Any) -> Array:
    """min(max(x / 6 + 1/2, 0), 1) [Howard et al., "Searching for MobileNetV3", 2019]."""
    return forward(_activation("hard_sigmoid"), x)


def hardsigmoid_backward(dy: Any, x: Any) -> Array:
    """dx of `hardsigmoid`: dy / 6 where -3 < x < 3, else 0."""
    return only(backward(_activation("hard_sigmoid"), dy, x))


def hardswish(x: Any) -> Array:
    """x hardsigmoid(x) [Howard et al., "Searching for MobileNetV3", 2019]."""
    return forward(_activation("hard_swish"), x)


def hardswish_backward(dy: Any, x: Any) -> Array:
    """dx of `hardswish`: dy (x / 3 + 1/2) where -3 < x < 3, dy above, 0 below."""
    return only(backward(_activation("hard_swish"), dy, x))


def absolute(x: Any) -> Array:
    """|x|."""
    return forward(_activation("abs"), x)


def absolute_backward(dy: Any, x: Any) -> Array:
    """dx of `absolute`: dy times the sign of x, 0 at 0."""
    return only(backward(_activation("abs"), dy, x))


def abs_tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """a |tanh(b x)|: cuda-convnet's abstanh[a,b] [Jarrett et al., 2009, rectify so]."""
    return forward(_activation("abs_tanh", a=a, b=b), x)


def abs_tanh_backward(dy: Any, x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """dx of `abs_tanh`: dy a b (1 - tanh²(b x)) times the sign of b x, 0 at 0."""
    return only(backward(_activation("abs_tanh", a=a, b=b), dy, x))


def sqrt(x: Any) -> Array:
    """Square root; NaN below 0."""
    return forward(_activation("sqrt"), x)


def sqrt_backward(dy: Any, x: Any) -> Array:
    """dx of `sqrt`: dy / (2 y), infinite at 0."""
    return only(backward(_activation("sqrt"), dy, x))


def log(x: Any, a: float = 0.0) -> Array:
    """Natural logarithm of x + a: cuda-convnet2's log[a]. NaN where x + a < 0."""
    return forward(_activation("log", a=a), x)


def log_backward(dy: Any, x: Any, a: float = 0.0) -> Array:
    """dx of `log`: dy / (x + a)."""
    return only(backward(_activation("log", a=a), dy, x))


def _activation(function: str, **coefficients: float) -> _core.Op:
    return make_op("activation", function=function, **coefficients)
