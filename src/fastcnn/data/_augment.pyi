"""Kernels on batches of images in planes, (n, c, h, w), contiguous; arguments are trusted. The GIL is
released."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Pixel = TypeVar("_Pixel", np.uint8, np.float32)

def crop(
    x: NDArray[_Pixel],
    top: NDArray[np.intp],
    left: NDArray[np.intp],
    flip: NDArray[np.uint8],
    height: int,
    width: int,
    fill: float,
) -> NDArray[_Pixel]:
    """The window of (height, width) at (top[i], left[i]) of each image, mirrored where flip[i]; `fill` where
    it lies outside."""

def erase(
    x: NDArray[_Pixel],
    top: NDArray[np.intp],
    left: NDArray[np.intp],
    height: int,
    width: int,
    fill: NDArray[_Pixel],
) -> NDArray[_Pixel]:
    """Copies in which the window at (top[i], left[i]), as far as it lies inside, has the colour fill[c]."""

def scale_and_shift(
    x: NDArray[np.uint8] | NDArray[np.float32],
    scale: NDArray[np.float32],
    shift: NDArray[np.float32],
    channels_last: bool,
) -> NDArray[np.float32]:
    """x[n, c, h, w] * scale[c] + shift[n, c, h, w]; one plane of x is each channel. The shift may be
    broadcast, by strides of 0. The result is in memory as (n, h, w, c) if `channels_last`."""

def jitter(x: NDArray[np.uint8] | NDArray[np.float32], factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images in red, green and blue, their brightness, contrast and saturation changed by factors[i]."""
