"""What all figures share: their ground, their colours, and images side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Okabe and Ito, "Color universal design", 2008.
BLUE, ORANGE, VERMILION, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"
PALE_BLUE, PALE_ORANGE, PALE_GREY = "#9CCCE8", "#F3CB70", "#DDDDDD"  # black text on them reads well
GAP = 1  # pixels between tiles


def blank(figure: Any, width: float, height: float, layout: str = "constrained") -> Any:
    """An empty figure of that size in inches: `figure` itself, or a new one. The layout "compressed" is for
    pictures whose proportions are fixed.

    Raises:
        ImportError: matplotlib isn't installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figures are drawn with matplotlib: pip install 'fastcnn[plots]'") from error
    if figure is None:
        figure = Figure()
    figure.clear()
    figure.set_size_inches(width, height)
    figure.set_layout_engine(layout, w_pad=0.08, h_pad=0.08)
    figure.set_facecolor("white")
    return figure


def picture(image: Array) -> tuple[Array, dict[str, Any]]:
    """An image (h, w), (1, h, w) or (3, h, w), from 0 to 255, as `imshow` takes it; of other channels the
    mean."""
    planes = image[None] if image.ndim == 2 else image
    if len(planes) == 3:
        return planes.transpose(1, 2, 0), {}
    return planes.mean(axis=0), {"cmap": "gray", "vmin": 0, "vmax": 255}


def show_picture(axes: Any, image: Array) -> None:
    """The image without ticks, its pixels as they are."""
    pixels, how = picture(image)
    axes.imshow(pixels, interpolation="nearest", **how)
    bare(axes)


def bare(axes: Any) -> None:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def mosaic(tiles: Array, columns: int, fill: float = np.nan) -> Array:
    """Tiles (n, h, w[, c]) row by row as one image, `fill` between them."""
    count, height, width, *channels = tiles.shape
    rows = math.ceil(count / columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, *channels)
    whole = np.full(shape, fill, np.float64)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        whole[top : top + height, left : left + width] = tile
    return whole
