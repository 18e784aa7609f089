"""Joining, cutting and reshaping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array, as_array
from fastcnn._core import make_op
from fastcnn.nn.options import parts_of
from fastcnn.ops._run import backward, backward_all, forward, forward_all, only


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


def pixel_shuffle(x: Any, upscale_factor: int, order: str = "crd") -> Array:
    """Channels to pixels: (n, c r², h, w) to (n, c, h r, w r), r = upscale_factor.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network" (2016); ONNX's DepthToSpace. Pixel (i, j) of a block of channel k is channel k r² + i r +
    j of x ("crd", as in PyTorch) or (i r + j) c + k ("dcr").
    """
    return forward(make_op("pixel_shuffle", factor=upscale_factor, order=order), x)


def pixel_shuffle_backward(dy: Any, x: Any, upscale_factor: int, order: str = "crd") -> Array:
    """dx of `pixel_shuffle`: its inverse of dy. Of x only the shape matters."""
    return only(backward(make_op("pixel_shuffle", factor=upscale_factor, order=order), dy, x))


def pixel_unshuffle(x: Any, downscale_factor: int, order: str = "crd") -> Array:
    """Pixels to channels: (n, c, h r, w r) to (n, c r², h, w), the inverse of `pixel_shuffle`; ONNX's
    SpaceToDepth."""
    return forward(make_op("pixel_shuffle", factor=downscale_factor, order=order, inverse=True), x)


def pixel_unshuffle_backward(dy: Any, x: Any, downscale_factor: int, order: str = "crd") -> Array:
    """dx of `pixel_unshuffle`: dy shuffled. Of x only the shape matters."""
    return only(backward(make_op("pixel_shuffle", factor=downscale_factor, order=order, inverse=True), dy, x))


def split(x: Any, split_size_or_sections: int | Sequence[int], axis: int = 1) -> tuple[Array, ...]:
    """Parts of an axis, of one size, the last one smaller if need be, or of these sizes."""
    return tuple(forward_all(_split(x, split_size_or_sections, axis), x))


def split_backward(
    dy: Sequence[Any], x: Any, split_size_or_sections: int | Sequence[int], axis: int = 1
) -> Array:
    """dx of `split`: the parts' gradients side by side. Of x only the shape matters."""
    return only(backward_all(_split(x, split_size_or_sections, axis), dy, x))


def _split(x: Any, split_size_or_sections: int | Sequence[int], axis: int) -> _core.Op:
    sizes = parts_of(as_array(x, "split").shape[axis], split_size_or_sections)
    return make_op("split", sizes=tuple(sizes), axis=axis)


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
