"""Sums, products, parts and shapes as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply, apply_all
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
    parts: tuple[Any, ...] = apply_all(make_op("split", sizes=tuple(sizes), axis=dim), x)
    return parts


def flatten(x: Any, start_dim: int = 1) -> Any:
    """Axes from `start_dim` on as one, in logical (CHW) order."""
    return apply(make_op("flatten", start_dim=start_dim), x)


def pixel_shuffle(x: Any, upscale_factor: int, order: str = "crd") -> Any:
    """Channels to pixels: (n, c r², h, w) to (n, c, h r, w r), r = upscale_factor.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network" (2016); ONNX's DepthToSpace. Pixel (i, j) of a block of channel k is channel k r² + i r +
    j of x ("crd", as in PyTorch) or (i r + j) c + k ("dcr").

    Raises:
        ShapeError: channels that r² doesn't divide.
        ValueError: a factor below 1, or another order.
    """
    return apply(make_op("pixel_shuffle", factor=upscale_factor, order=order), x)


def pixel_unshuffle(x: Any, downscale_factor: int, order: str = "crd") -> Any:
    """Pixels to channels: (n, c, h r, w r) to (n, c r², h, w), the inverse of pixel_shuffle; ONNX's
    SpaceToDepth.

    Raises:
        ShapeError: height or width that r doesn't divide.
        ValueError: a factor below 1, or another order.
    """
    return apply(make_op("pixel_shuffle", factor=downscale_factor, order=order, inverse=True), x)


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """The same elements in logical order under another shape, of which one extent may be -1."""
    return apply(make_op("reshape", shape=tuple(shape)), x)
