"""Neurons: functions by element, and softmax."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module


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
