"""Sums, products, parts and shapes as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply
from fastcnn.nn.functional._inputs import shape_of_input
from fastcnn.nn.options import parts_of


def add(*inputs: Any, coefficients: Sequence[float] | None = None) -> Any:
    """Sum of inputs of one shape, each times its coefficient where there are any."""
    options = {} if coefficients is None else {"coefficients": coefficients}
    return apply(make_op("add", **options), *inputs)


def maximum(*inputs: Any) -> Any:
    """Largest of the inputs, of one shape, by element."""
    return apply(make_op("maximum"), *inputs)


def multiply(*inputs: Any) -> Any:
    """Product of the inputs, of one shape, by element."""
    return apply(make_op("multiply"), *inputs)


def concat(inputs: Sequence[Any], dim: int = 1) -> Any:
    """Inputs side by side along axis `dim`."""
    return apply(make_op("concat", axis=dim), *inputs)


def narrow(x: Any, dim: int, start: int, length: int) -> Any:
    """Elements [start, start + length) of axis `dim`; start counts from the end where it is negative."""
    start = start + shape_of_input(x)[dim] if start < 0 else start
    return apply(make_op("slice", start=start, stop=start + length, axis=dim), x)


def split(x: Any, split_size_or_sections: int | Sequence[int], dim: int = 1) -> tuple[Any, ...]:
    """Parts of axis `dim`, of one size, the last one smaller if need be, or of these sizes."""
    sizes = parts_of(shape_of_input(x)[dim], split_size_or_sections)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(x, dim, start, size) for start, size in zip(starts, sizes, strict=True))


def flatten(x: Any, start_dim: int = 1) -> Any:
    """Axes from `start_dim` on as one, in logical (CHW) order."""
    return apply(make_op("flatten", start_dim=start_dim), x)


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """The same elements in logical order under another shape, of which one extent may be -1."""
    return apply(make_op("reshape", shape=tuple(shape)), x)
