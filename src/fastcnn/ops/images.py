"""The frame, size and colours of images, (n, c, h, w)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array, as_array
from fastcnn._core import make_op
from fastcnn.nn.options import Pair, convnet_resizing, crop_padding, resizing
from fastcnn.ops._run import backward, forward, only


def pad2d(x: Any, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Array:
    """x with columns and rows added at its sides, or taken away.

    Args:
        x: (n, c, h, w).
        padding: (left, right, top, bottom), as in PyTorch; negative ones cut off.
        mode: what is added: "constant", which is `value`; "reflect", the image mirrored at its outermost
            pixels, which are not repeated; "replicate", the outermost pixels repeated.
    """
    return forward(make_op("pad2d", padding=tuple(padding), mode=mode, value=value), x)


def pad2d_backward(
    dy: Any, x: Any, padding: Sequence[int], mode: str = "constant", value: float = 0.0
) -> Array:
    """dx of `pad2d`: the sum of dy over all places to which a pixel went. Of x only the shape matters."""
    return only(backward(make_op("pad2d", padding=tuple(padding), mode=mode, value=value), dy, x))


def crop2d(x: Any, top: int, left: int, height: int, width: int) -> Array:
    """Rows [top, top + height) and columns [left, left + width) of x (n, c, h, w)."""
    return pad2d(x, crop_padding(as_array(x, "crop2d").shape, top, left, height, width))


def crop2d_backward(dy: Any, x: Any, top: int, left: int, height: int, width: int) -> Array:
    """dx of `crop2d`: dy at its place, 0 elsewhere. Of x only the shape matters."""
    return pad2d_backward(dy, x, crop_padding(as_array(x, "crop2d").shape, top, left, height, width))


def interpolate(
    x: Any,
    size: Pair | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Array:
    """x resized. Definitions are PyTorch's.

    Args:
        x: (n, c, h, w).
        size: (height, width) of y, or one number for both.
        scale_factor: instead of size: extents become floor(f in).
        mode: pixel i of an axis of y is pixel floor(i / f) of x ("nearest"), or the mean of the two pixels
            around (i + 1/2) / f - 1/2, weighted by how near they are ("bilinear"), where f is the scale
            factor, or out / in.
        align_corners: "bilinear" takes i (in - 1) / (out - 1) instead.
    """
    return forward(_resize(as_array(x, "interpolate").shape, size, scale_factor, mode, align_corners), x)


def interpolate_backward(
    dy: Any,
    x: Any,
    size: Pair | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Array:
    """dx of `interpolate`: each dy, times the weights, to the pixels it was made of. Of x only the shape
    matters."""
    op = _resize(as_array(x, "interpolate").shape, size, scale_factor, mode, align_corners)
    return only(backward(op, dy, x))


def convnet_resize(x: Any, scale: float) -> Array:
    """x reduced by `scale`, bilinearly: cuda-convnet's resize layer.

    Pixel i of an axis is taken from (i - out / 2) scale + in / 2, kept between 0 and in - 1.01, where out is
    floor(in / scale).

    Args:
        x: (n, c, h, w).
    """
    return forward(make_op("resize2d", **convnet_resizing(as_array(x, "convnet_resize").shape, scale)), x)


def convnet_resize_backward(dy: Any, x: Any, scale: float) -> Array:
    """dx of `convnet_resize`, which cuda-convnet doesn't have."""
    op = make_op("resize2d", **convnet_resizing(as_array(x, "convnet_resize").shape, scale))
    return only(backward(op, dy, x))


def rgb_to_yuv(x: Any) -> Array:
    """Y = 0.2126 R + 0.7152 G + 0.0722 B, U = -0.09991 R - 0.33609 G + 0.436 B, V = 0.615 R - 0.55861 G -
    0.05639 B [ITU-R BT.709, as cuda-convnet has it].

    Args:
        x: (n, 3, h, w).
    """
    return forward(make_op("color_transform", to="yuv"), x)


def rgb_to_yuv_backward(dy: Any, x: Any) -> Array:
    """dx of `rgb_to_yuv`: the transposed matrix times dy. Of x only the shape matters."""
    return only(backward(make_op("color_transform", to="yuv"), dy, x))


def rgb_to_lab(x: Any, center: bool = False) -> Array:
    """L* = 116 f(Y) - 16, a* = 500 (f(X) - f(Y)), b* = 200 (f(Y) - f(Z)) [CIE 1976].

    X = 0.49 R + 0.31 G + 0.2 B, Y = 0.17697 R + 0.8124 G + 0.01063 B, Z = 0.01 G + 0.99 B [CIE 1931],
    relative to white, R = G = B = 1. f(t) is the cube root above (6/29)³, else (29/6)² t / 3 + 4/29.
    cuda-convnet takes t^0.3333 for the cube root, which moves L* by up to 0.005.

    Args:
        x: (n, 3, h, w), from 0 to 1.
        center: subtracts 50 from L*, which is then between -50 and 50.
    """
    return forward(make_op("color_transform", to="lab", center=center), x)


def rgb_to_lab_backward(dy: Any, x: Any, center: bool = False) -> Array:
    """dx of `rgb_to_lab`, by the chain rule; cuda-convnet doesn't have it."""
    return only(backward(make_op("color_transform", to="lab", center=center), dy, x))


def _resize(shape: Sequence[int], *options: Any) -> _core.Op:
    return make_op("resize2d", **resizing(shape, *options))
