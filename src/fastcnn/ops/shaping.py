"""Joining, cutting and reshaping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward, only


def flatten(x: Any, start_dim: int = 1) -> Array:
    """Axes from `start_dim` on as one, in logical order: (n, c, h, w) to (n, c h w)."""
    return forward(make_op("flatten", start_dim=start_dim), x)


def flatten_backward(dy: Any, x: Any, start_dim: int = 1) -> Array:
    """dx of `flatten`: dy in the shape of x."""
    return only(backward(make_op("flatten", start_dim=start_dim), dy, x))


def reshape(x: Any, shape: Sequence[int]) -> Array:
    """The same elements in logical order under another shape, of which one extent may be -1."""
    return forward(make_op("reshape", shape=tuple(shape)), x)


def reshape_backward(dy: Any, x: Any, shape: Sequence[int]) -> Array:
    """dx of `reshape`: dy in the shape of x."""
    return only(backward(make_op("reshape", shape=tuple(shape)), dy, x))


def add(*inputs: Any, coefficients: Sequence[float] | None = None) -> Array:
    """Sum of inputs of one shape, each times its coefficient where there are any."""
    return forward(_add(coefficients), *inputs)


def add_backward(dy: Any, *inputs: Any, coefficients: Sequence[float] | None = None) -> tuple[Array, ...]:
    """The gradients of `add`: dy times each coefficient. Of the inputs only the shapes matter."""
    return _all(backward(_add(coefficients), dy, *inputs))


def _add(coefficients: Sequence[float] | None) -> _core.Op:
    return make_op("add") if coefficients is None else make_op("add", coefficients=tuple(coefficients))


def maximum(*inputs: Any) -> Array:
    """Largest of the inputs, of one shape, by element; NaN where one is."""
    return forward(make_op("maximum"), *inputs)


def maximum_backward(dy: Any, *inputs: Any) -> tuple[Array, ...]:
    """The gradients of `maximum`: dy for the first input that holds the largest element, 0 for the others."""
    return _all(backward(make_op("maximum"), dy, *inputs))


def multiply(*inputs: Any) -> Array:
    """Product of the inputs, of one shape, by element."""
    return forward(make_op("multiply"), *inputs)


def multiply_backward(dy: Any, *inputs: Any) -> tuple[Array, ...]:
    """The gradients of `multiply`: dy times all other inputs."""
    return _all(backward(make_op("multiply"), dy, *inputs))


def concat(inputs: Sequence[Any], axis: int = 1) -> Array:
    """Inputs side by side along `axis`; their other extents agree."""
    return forward(make_op("concat", axis=axis), *inputs)


def concat_backward(dy: Any, inputs: Sequence[Any], axis: int = 1) -> tuple[Array, ...]:
    """The parts of dy that belong to each input of `concat`. Of the inputs only the shapes matter."""
    return _all(backward(make_op("concat", axis=axis), dy, *inputs))


def narrow(x: Any, start: int, stop: int, axis: int = 1) -> Array:
    """Elements [start, stop) of an axis, 0 <= start < stop."""
    return forward(make_op("slice", start=start, stop=stop, axis=axis), x)


def narrow_backward(dy: Any, x: Any, start: int, stop: int, axis: int = 1) -> Array:
    """dx of `narrow`: dy at its place, 0 elsewhere. Of x only the shape matters."""
    return only(backward(make_op("slice", start=start, stop=stop, axis=axis), dy, x))


def _all(gradients: Sequence[Array | None]) -> tuple[Array, ...]:
    return tuple(gradient for gradient in gradients if gradient is not None)
