"""Activations as functions."""

from __future__ import annotations

from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply
from fastcnn.nn.functional._inputs import stream_of
from fastcnn.nn.options import gelu_kind


def identity(x: Any) -> Any:
    """x."""
    return x


def relu(x: Any) -> Any:
    """max(x, 0)."""
    return apply(make_op("activation", function="relu"), x)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return apply(make_op("activation", function="relu6"), x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return apply(make_op("activation", function="sigmoid"), x)


def tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Any:
    """a tanh(b x)."""
    return apply(make_op("activation", function="tanh", a=a, b=b), x)


def square(x: Any) -> Any:
    """x²."""
    return apply(make_op("activation", function="square"), x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where x > 0, else negative_slope x."""
    return apply(make_op("activation", function="leaky_relu", a=negative_slope), x)


def prelu(x: Any, weight: Any) -> Any:
    """x where x > 0, else weight x; weight (1), or (c) for each channel."""
    return apply(make_op("prelu"), x, weight)


def noisy_relu(x: Any, training: bool = True) -> Any:
    """max(x + sqrt(sigmoid(x)) z, 0), z standard normal; max(x, 0) unless training."""
    if not training:
        return relu(x)
    return apply(make_op("noisy_relu", stream=stream_of(x)), x)


def bounded_relu(x: Any, a: float) -> Any:
    """min(max(x, 0), a)."""
    return apply(make_op("activation", function="bounded_relu", a=a), x)


def double_relu(x: Any, a: float) -> Any:
    """x - a tanh(x / a)."""
    return apply(make_op("activation", function="double_relu", a=a), x)


def softplus(x: Any, beta: float = 1.0) -> Any:
    """log(1 + exp(beta x)) / beta."""
    return apply(make_op("activation", function="softplus", a=beta), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha (exp(x) - 1)."""
    return apply(make_op("activation", function="elu", a=alpha), x)


def gelu(x: Any, approximate: str = "none") -> Any:
    """x Phi(x), Phi being the normal distribution; approximate="tanh": x / 2 (1 + tanh(...))."""
    return apply(make_op("activation", function=gelu_kind(approximate)), x)


def silu(x: Any) -> Any:
    """x / (1 + exp(-x))."""
    return apply(make_op("activation", function="silu"), x)


def mish(x: Any) -> Any:
    """x tanh(log(1 + exp(x)))."""
    return apply(make_op("activation", function="mish"), x)


def hardsigmoid(x: Any) -> Any:
    """min(max(x / 6 + 1/2, 0), 1)."""
    return apply(make_op("activation", function="hard_sigmoid"), x)


def hardswish(x: Any) -> Any:
    """x min(max(x / 6 + 1/2, 0), 1)."""
    return apply(make_op("activation", function="hard_swish"), x)


def absolute(x: Any) -> Any:
    """|x|."""
    return apply(make_op("activation", function="abs"), x)


def abs_tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Any:
    """a |tanh(b x)|."""
    return apply(make_op("activation", function="abs_tanh", a=a, b=b), x)


def sqrt(x: Any) -> Any:
    """Square root."""
    return apply(make_op("activation", function="sqrt"), x)


def log(x: Any, a: float = 0.0) -> Any:
    """Natural logarithm of x + a."""
    return apply(make_op("activation", function="log", a=a), x)


def affine(x: Any, a: float = 1.0, b: float = 0.0) -> Any:
    """a x + b, by element."""
    return apply(make_op("activation", function="linear", a=a, b=b), x)


def softmax(x: Any, dim: int = 1) -> Any:
    """exp(x) / sum of exp(x) along axis `dim`."""
    return apply(make_op("softmax", axis=dim), x)
