"""Layers that change the frame, size or colours of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn.nn import functional
from fastcnn.nn.module import Module
from fastcnn.nn.options import check_interpolation, check_reduction, four_of


class _Pad2d(Module):
    mode = "constant"
    value = 0.0

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = four_of(type(self).__name__, padding)

    def forward(self, x: Any) -> Any:
        return functional.pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad2d(_Pad2d):
    """Zeros at the sides of (n, c, h, w): one number, or (left, right, top, bottom); negative ones cut."""


class ConstantPad2d(_Pad2d):
    """ZeroPad2d with another value."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = float(value)

    def extra_repr(self) -> str:
        return f"{self.padding}, value={self.value}"


class ReflectionPad2d(_Pad2d):
    """ZeroPad2d with the image mirrored at its outermost pixels, which are not repeated."""

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """ZeroPad2d with the outermost pixels repeated."""

    mode = "replicate"


class Crop2d(Module):
    """Rows [top, top + height) and columns [left, left + width) of (n, c, h, w): cuda-convnet2's crop."""

    def __init__(self, top: int, left: int, height: int, width: int) -> None:
        super().__init__()
        self.top = top
        self.left = left
        self.height = height
        self.width = width

    def forward(self, x: Any) -> Any:
        return functional.crop(x, self.top, self.left, self.height, self.width)

    def extra_repr(self) -> str:
        return f"top={self.top}, left={self.left}, height={self.height}, width={self.width}"


class Upsample(Module):
    """(n, c, h, w) resized to `size`, or by `scale_factor`. Definitions are PyTorch's.

    Pixel i of an axis is taken from i / f ("nearest", rounded down), from (i + 1/2) / f - 1/2, or with
    `align_corners` from i (in - 1) / (out - 1) ("bilinear", a weighted mean of the neighbours), where f is
    the scale factor, or out / in.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        check_interpolation(size, scale_factor, mode, align_corners)
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners

    def forward(self, x: Any) -> Any:
        return functional.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        extent = f"scale_factor={self.scale_factor}" if self.size is None else f"size={self.size}"
        return f"{extent}, mode={self.mode!r}"


class ConvnetResize(Module):
    """(n, c, h, w) reduced by `scale`, bilinearly: cuda-convnet's resize layer, here with a gradient.

    Extents become floor(in / scale). Pixel i of an axis is taken from (i - out / 2) scale + in / 2, kept
    between 0 and in - 1.01. cuda-convnet takes scales from 0.5 to 2.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        check_reduction(scale)
        self.scale = scale

    def forward(self, x: Any) -> Any:
        return functional.convnet_resize(x, self.scale)

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class RGBToYUV(Module):
    """(n, 3, h, w), red, green and blue, as Y, U and V [ITU-R BT.709]: cuda-convnet's rgb2yuv."""

    def forward(self, x: Any) -> Any:
        return functional.rgb_to_yuv(x)


class RGBToLab(Module):
    """(n, 3, h, w), red, green and blue from 0 to 1, as CIE 1976 L*, a* and b*: cuda-convnet's rgb2lab.

    Args:
        center: subtracts 50 from L*, which then lies between -50 and 50.
    """

    def __init__(self, center: bool = False) -> None:
        super().__init__()
        self.center = center

    def forward(self, x: Any) -> Any:
        return functional.rgb_to_lab(x, self.center)

    def extra_repr(self) -> str:
        return f"center={self.center}"
