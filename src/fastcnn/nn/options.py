"""What the options of functions and layers, which are PyTorch's, mean to the ops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import _core
from fastcnn.engine.layout import check_images, is_images

Pair = int | Sequence[int]


def check_extents(layer: str, **extents: int) -> None:
    """Raises ValueError unless all are integers of at least 1."""
    for name, extent in extents.items():
        if isinstance(extent, bool) or not isinstance(extent, (int, np.integer)) or extent < 1:
            raise ValueError(f"{layer}: {name} is {extent!r}, expected a positive integer")


def pair_of(layer: str, name: str, value: Any) -> tuple[int, int]:
    """(height, width) from a pair or one number for both; raises ValueError for anything else or below 1."""
    pair = (value, value) if isinstance(value, (int, np.integer)) else value
    good = isinstance(pair, (tuple, list)) and len(pair) == 2
    if not good or not all(isinstance(v, (int, np.integer)) and v >= 1 for v in pair):
        raise ValueError(f"{layer}: {name} is {value!r}, expected one positive integer or a pair")
    return int(pair[0]), int(pair[1])


def shape_of(layer: str, value: Any) -> tuple[int, ...]:
    """A shape from integers or one of them; raises ValueError for anything else or below 1."""
    shape = (value,) if isinstance(value, (int, np.integer)) else value
    good = isinstance(shape, (tuple, list)) and len(shape) > 0
    if not good or not all(isinstance(extent, (int, np.integer)) and extent >= 1 for extent in shape):
        raise ValueError(f"{layer}: the shape is {value!r}, expected one or more positive integers")
    return tuple(int(extent) for extent in shape)


def gelu_kind(approximate: str) -> str:
    """The activation that PyTorch's option means."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate is {approximate!r}, expected "none" or "tanh"')
    return "gelu" if approximate == "none" else "gelu_tanh"


def shape_to_normalize(shape: Sequence[int], normalized: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that layer norm reads an input of this one in. Images are stored by pixel; to have their last
    axes together, (w) or (h, w), they must be of another rank."""
    if is_images(shape) and len(normalized) < 3 and tuple(shape[-len(normalized) :]) == normalized:
        return (math.prod(shape[: -len(normalized)]), *normalized)
    return tuple(shape)


def parts_of(extent: int, split_size_or_sections: int | Sequence[int]) -> list[int]:
    """The sizes that PyTorch's split gives the parts of an axis."""
    if not isinstance(split_size_or_sections, int):
        sizes = list(split_size_or_sections)
        if sum(sizes) != extent:
            raise _core.ShapeError(
                f"split: the parts {tuple(sizes)} don't add up to the axis's {extent} elements"
            )
        return sizes
    size = split_size_or_sections
    if size < 1:
        raise ValueError(f"split: parts of {size}, expected at least 1")
    return [min(size, extent - start) for start in range(0, extent, size)]


def four_of(layer: str, padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) from these or one number for all."""
    four = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
    if len(four) != 4 or not all(isinstance(amount, int) for amount in four):
        raise ValueError(
            f"{layer}: padding is {padding!r}, expected one integer or left, right, top and bottom"
        )
    return four


def crop_padding(
    shape: Sequence[int], top: int, left: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """The negative padding that leaves these rows and columns of images of that shape."""
    check_images("crop", shape)
    bottom, right = shape[2] - top - height, shape[3] - left - width
    if min(top, left, bottom, right) < 0 or min(height, width) < 1:
        raise _core.ShapeError(
            f"crop: {height}×{width} pixels from row {top} and column {left} are not within x={tuple(shape)}"
        )
    return -left, -right, -top, -bottom


def check_interpolation(
    size: Pair | None,
    scale_factor: float | Sequence[float] | None,
    mode: str,
    align_corners: bool | None,
) -> None:
    """Raises ValueError for options that don't go together."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: size={size}, scale_factor={scale_factor}; expected one of them")
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f'interpolate: mode is {mode!r}, expected "nearest" or "bilinear"')
    if mode == "nearest" and align_corners is not None:
        raise ValueError('interpolate: align_corners is an option of mode="bilinear"')


def resizing(
    shape: Sequence[int],
    size: Pair | None,
    scale_factor: float | Sequence[float] | None,
    mode: str,
    align_corners: bool | None,
) -> dict[str, Any]:
    """The attributes of the op that PyTorch's options mean for x of that shape."""
    check_interpolation(size, scale_factor, mode, align_corners)
    check_images("interpolate", shape)
    coordinates = "align_corners" if align_corners else "half_pixels"
    if scale_factor is None:
        return {"output": size, "mode": mode, "coordinates": coordinates}
    factors = (scale_factor,) * 2 if isinstance(scale_factor, (int, float)) else tuple(scale_factor)
    if len(factors) != 2 or not all(f > 0 for f in factors):
        raise ValueError(f"interpolate: scale_factor is {scale_factor}, expected a positive number or a pair")
    output = tuple(math.floor(extent * f) for extent, f in zip(shape[2:], factors, strict=True))
    return {
        "output": output,
        "mode": mode,
        "coordinates": coordinates,
        "scale": tuple(1.0 / f for f in factors),
    }


def check_reduction(scale: float) -> None:
    """Raises ValueError unless it is positive."""
    if not 0 < scale < math.inf:
        raise ValueError(f"resize: scale is {scale}, expected a positive number")


def convnet_resizing(shape: Sequence[int], scale: float) -> dict[str, Any]:
    """The attributes of the op that cuda-convnet's layer is for x of that shape."""
    check_reduction(scale)
    check_images("resize", shape)
    output = tuple(math.floor(extent / scale) for extent in shape[2:])
    return {"output": output, "mode": "bilinear", "coordinates": "centred", "scale": (float(scale),) * 2}


def nailbed_op(shape: Sequence[int], stride: Pair, start: Pair | None) -> _core.Op:
    """Sums of windows of one pixel, for inputs of this shape."""
    if start is None and is_images(shape):
        strides = (stride, stride) if isinstance(stride, int) else stride
        start = tuple(_middle(extent, step) for extent, step in zip(shape[2:], strides, strict=True))
    return pool2d_op("avg_pool2d", 1, stride, start=start, sum=True)


def _middle(extent: int, stride: int) -> int:
    return (extent - stride * (-(-extent // stride) - 1)) // 2 if stride > 0 else 0


def pool_channels_op(
    pool: str,
    size: int,
    stride: int | None = None,
    start: int = 0,
    output_size: int | None = None,
    ceil_mode: bool = False,
) -> _core.Op:
    """A pool across channels, for functions and layers."""
    given = {} if start == 0 else {"start": start}
    if output_size is not None:
        given["output"] = output_size
    stride = size if stride is None else stride
    return _core.make_op("pool_channels", pool=pool, size=size, stride=stride, ceil_mode=ceil_mode, **given)


def pool2d_op(
    kind: str,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    start: Pair | None = None,
    output_size: Pair | None = None,
    **options: Any,
) -> _core.Op:
    """A pool over windows that slide, for functions and layers."""
    given = {"start": start, "output": output_size}
    return _core.make_op(
        kind,
        kernel=kernel_size,
        stride=kernel_size if stride is None else stride,
        pad=padding,
        ceil_mode=ceil_mode,
        **{name: value for name, value in given.items() if value is not None},
        **options,
    )


def cross_entropy_op(reduction: str, ignore_index: int, label_smoothing: float) -> _core.Op:
    """-log p of the softmax, for functions and layers."""
    return _core.make_op(
        "softmax_cross_entropy",
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
