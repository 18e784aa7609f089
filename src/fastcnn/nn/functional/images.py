"""What is done to images, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply
from fastcnn.nn.functional._inputs import shape_of_input
from fastcnn.nn.options import Pair, convnet_resizing, crop_padding, resizing


def pad(x: Any, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Any:
    """x (n, c, h, w) with (left, right, top, bottom) columns and rows more, or fewer where negative.

    mode: "constant" (value), "reflect" or "replicate".
    """
    return apply(make_op("pad2d", padding=tuple(padding), mode=mode, value=value), x)


def crop(x: Any, top: int, left: int, height: int, width: int) -> Any:
    """Rows [top, top + height) and columns [left, left + width) of x (n, c, h, w)."""
    return pad(x, crop_padding(shape_of_input(x), top, left, height, width))


def interpolate(
    x: Any,
    size: Pair | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """x (n, c, h, w) resized to `size`, or by `scale_factor`, by "nearest" pixels or "bilinear"."""
    return apply(
        make_op("resize2d", **resizing(shape_of_input(x), size, scale_factor, mode, align_corners)), x
    )


def convnet_resize(x: Any, scale: float) -> Any:
    """x (n, c, h, w) reduced by `scale`, bilinearly, as cuda-convnet's resize layer does it."""
    return apply(make_op("resize2d", **convnet_resizing(shape_of_input(x), scale)), x)


def rgb_to_yuv(x: Any) -> Any:
    """x (n, 3, h, w), red, green and blue, as Y, U and V."""
    return apply(make_op("color_transform", to="yuv"), x)


def rgb_to_lab(x: Any, center: bool = False) -> Any:
    """x (n, 3, h, w), red, green and blue from 0 to 1, as L*, a* and b*; center: L* - 50."""
    return apply(make_op("color_transform", to="lab", center=center), x)
