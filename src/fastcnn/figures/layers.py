"""What layers have learned, and what they make of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastcnn._arrays import as_array
from fastcnn.figures._canvas import Array, bare, blank, mosaic, show_picture

_MAX = 256  # filters of one or three channels that are shown
_MAX_OF_MANY = 16  # filters, and channels of each, where they have more
_MAX_MAPS = 64


def filters(weight: Any, title: str = "", *, figure: Any = None) -> Any:
    """The filters of a convolution, each scaled by its own largest weight.

    Of one input channel, weights from blue, negative, to red, positive; of three, colours around a grey 0;
    of more, a row per filter with its first channels.

    Args:
        weight: (filters, channels, height, width).

    Raises:
        ValueError: weights of another shape, or none.
        ImportError: matplotlib isn't installed.
    """
    w = as_array(weight, "weight").astype(np.float64)
    if w.ndim != 4 or w.size == 0:
        raise ValueError(f"filters: weight {w.shape}, expected (filters, channels, height, width)")
    scaled = w / np.maximum(np.abs(w).max(axis=(1, 2, 3), keepdims=True), 1e-30)
    count, channels = w.shape[:2]
    many = channels not in (1, 3)
    shown = min(count, _MAX_OF_MANY if many else _MAX)
    columns = min(channels, _MAX_OF_MANY) if many else _columns(shown)
    if channels == 3:
        tiles = mosaic(scaled[:shown].transpose(0, 2, 3, 1) / 2 + 0.5, columns, fill=1.0)
    else:
        tiles = mosaic(scaled[:shown, : columns if many else 1].reshape(-1, *w.shape[2:]), columns)
    figure = blank(
        figure, 7.5, 7.5 * tiles.shape[0] / tiles.shape[1] + (1.2 if channels != 3 else 0.6), "compressed"
    )
    axes = figure.subplots()
    bare(axes)
    image = axes.imshow(tiles, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    if channels != 3:
        bar = figure.colorbar(image, ax=axes, location="bottom", aspect=50, ticks=(-1, 0, 1), shrink=0.6)
        bar.set_label("weight / largest of its filter", fontsize=9)
    of_all = f"{shown} of {count}" if shown < count else f"{count}"
    text = f"{of_all} filters of {w.shape[2]}×{w.shape[3]}"
    if many:
        text += f", a row each: {columns} of {channels} channels" if columns < channels else ", a row each"
    figure.suptitle(f"{title}: {text}" if title else text, fontsize=10)
    return figure


def maps(image: Any, layers: Mapping[str, Any], title: str = "", *, figure: Any = None) -> Any:
    """What layers make of one image: of several layers the first maps of each, of one layer its maps.

    From dark to bright where no value is negative, else from blue, negative, to red, positive.

    Args:
        image: (h, w), (1, h, w) or (3, h, w), from 0 to 255.
        layers: maps (channels, height, width) by the layer's name, as `model.features(x, name)[0]` gives
            them.

    Raises:
        ValueError: no layers, or values that aren't maps.
        ImportError: matplotlib isn't installed.
    """
    values = {name: as_array(each, name).astype(np.float64) for name, each in layers.items()}
    if not values or any(each.ndim != 3 or each.size == 0 for each in values.values()):
        shapes = ", ".join(f"{name} {each.shape}" for name, each in values.items()) or "none"
        raise ValueError(f"maps: layers {shapes}; expected maps (channels, height, width)")
    max_maps = _MAX_MAPS if len(values) == 1 else 8
    tiles = {name: _tiles(each, max_maps) for name, each in values.items()}
    heights = [6 * whole.shape[0] / whole.shape[1] + 0.35 for whole in tiles.values()]
    figure = blank(figure, 8.5, max(sum(heights), 1.8) + 0.3)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 4))
    corner = left.subplots()
    show_picture(corner, as_array(image, "image"))
    corner.set_anchor("N")
    panels = right.subplots(len(values), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, whole), height in zip(panels, tiles.items(), heights, strict=True):
        each = values[name]
        shown = axes.imshow(whole, interpolation="nearest", **_scale(each))
        figure.colorbar(shown, ax=axes, aspect=12 * height, pad=0.01).ax.tick_params(labelsize=7)
        bare(axes)
        count = min(len(each), max_maps)
        of_all = f"{count} of {len(each)}" if count < len(each) else f"{count}"
        axes.set_title(f"{name}: {of_all} maps of {each.shape[1]}×{each.shape[2]}", fontsize=9, loc="left")
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _tiles(values: Array, max_maps: int) -> Array:
    count = min(len(values), max_maps)
    return mosaic(values[:count], 8 if count <= 8 else _columns(count))


def _columns(count: int) -> int:
    """Of a grid somewhat wider than high."""
    return math.ceil(math.sqrt(count * 1.6)) if count > 8 else count


def _scale(values: Array) -> dict[str, Any]:
    if values.min() >= 0:
        return {"cmap": "viridis", "vmin": 0, "vmax": values.max() or 1}
    limit = np.abs(values).max()
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
