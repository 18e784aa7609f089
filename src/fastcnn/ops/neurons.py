"""Functions by element."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward, only


def relu(x: Any) -> Array:
    """max(x, 0), any shape."""
    return forward(_neuron("relu"), x)


def relu_backward(dy: Any, x: Any) -> Array:
    """dx of `relu`: dy where x > 0, else 0."""
    return only(backward(_neuron("relu"), dy, x))


def relu6(x: Any) -> Array:
    """min(max(x, 0), 6), any shape [Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010]."""
    return forward(_neuron("relu6"), x)


def relu6_backward(dy: Any, x: Any) -> Array:
    """dx of `relu6`: dy where 0 < x < 6, else 0."""
    return only(backward(_neuron("relu6"), dy, x))


def sigmoid(x: Any) -> Array:
    """y = 1 / (1 + exp(-x)), any shape."""
    return forward(_neuron("sigmoid"), x)


def sigmoid_backward(dy: Any, x: Any) -> Array:
    """dx of `sigmoid`: dy y (1 - y)."""
    return only(backward(_neuron("sigmoid"), dy, x))


def tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """y = a tanh(b x), any shape [LeCun et al., "Efficient BackProp", 1998: a = 1.7159, b = 2/3]."""
    return forward(_neuron("tanh", a=a, b=b), x)


def tanh_backward(dy: Any, x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """dx of `tanh`: dy a b (1 - tanh²(b x)) = dy b / a (a² - y²)."""
    return only(backward(_neuron("tanh", a=a, b=b), dy, x))


def square(x: Any) -> Array:
    """x², any shape."""
    return forward(_neuron("square"), x)


def square_backward(dy: Any, x: Any) -> Array:
    """dx of `square`: 2 x dy."""
    return only(backward(_neuron("square"), dy, x))


def affine(x: Any, a: float = 1.0, b: float = 0.0) -> Array:
    """a x + b by element, any shape: the linear neuron."""
    return forward(_neuron("linear", a=a, b=b), x)


def affine_backward(dy: Any, x: Any, a: float = 1.0, b: float = 0.0) -> Array:
    """dx of `affine`: a dy."""
    return only(backward(_neuron("linear", a=a, b=b), dy, x))


def _neuron(function: str, **coefficients: float) -> _core.Op:
    return make_op("activation", function=function, **coefficients)
