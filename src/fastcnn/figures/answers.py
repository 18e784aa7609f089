"""What a classifier says, and where it errs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn._arrays import as_array
from fastcnn.data import ImageFiles
from fastcnn.figures._canvas import PALE_BLUE, PALE_GREY, PALE_ORANGE, Array, bare, blank, show_picture
from fastcnn.metrics import top_k

_ALL_COUNTS = 20  # classes up to which each cell of a confusion matrix says its count
_ALL_NAMES = 40  # and up to which each class is named


def predictions(
    images: Any,
    probabilities: Any,
    labels: Any,
    class_names: Sequence[str],
    *,
    k: int = 5,
    figure: Any = None,
) -> Any:
    """Images with their k likeliest classes, as in Krizhevsky et al. 2012, figure 4: the bar of the right
    class is blue, and the likeliest, where it is wrong, orange.

    Args:
        images: (n, h, w) or (n, channels, h, w), from 0 to 255.
        probabilities: (n, classes).
        labels: (n), the right classes.

    Raises:
        ValueError: no images.
        ImportError: matplotlib isn't installed.
    """
    pictures, shares, right = _checked("predictions", images, probabilities, labels)
    columns = min(len(pictures), 4)
    rows = math.ceil(len(pictures) / columns)
    figure = blank(figure, 2.6 * columns, 1.75 * rows)
    cells = figure.subfigures(rows, columns, squeeze=False).ravel()
    likeliest = top_k(shares, k)
    for cell, image, p, best, label in zip(cells, pictures, shares, likeliest, right, strict=False):
        left, bars = cell.subplots(1, 2, width_ratios=(1, 1.2))
        show_picture(left, image)
        left.set_title(_short(class_names[label]), fontsize=9)
        colours = [PALE_BLUE if i == label else PALE_ORANGE if i == best[0] else PALE_GREY for i in best]
        bars.barh(range(len(best)), p[best], color=colours, height=0.85)
        for place, i in enumerate(best):
            bars.text(0.02, place, _short(class_names[i]), va="center", fontsize=8)
        bars.set_xlim(0, 1)
        bars.set_ylim(k - 0.4, -0.6)
        bare(bars)
    return figure


def errors(
    images: Any,
    probabilities: Any,
    labels: Any,
    class_names: Sequence[str],
    *,
    count: int = 24,
    figure: Any = None,
) -> Any:
    """The worst mistakes, those first whose right class was held least likely.

    Args:
        images, probabilities, labels: as `predictions` has them.
        count: how many at the most.

    Raises:
        ValueError: no images.
        ImportError: matplotlib isn't installed.
    """
    pictures, shares, right = _checked("errors", images, probabilities, labels)
    worst = worst_mistakes(shares, right, count)
    if not len(worst):
        figure = blank(figure, 4, 1)
        figure.text(0.5, 0.5, f"no mistakes in {len(right):,} images", ha="center", va="center")
        return figure
    columns = min(len(worst), 6)
    rows = math.ceil(len(worst) / columns)
    figure = blank(figure, 1.5 * columns, 2 * rows, "compressed")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, i in zip(panels, worst, strict=False):
        show_picture(axes, pictures[i])
        axes.axis("on")
        said = shares[i].argmax()
        text = f"is {_short(class_names[right[i]])}\nsaid {_short(class_names[said])}, {shares[i, said]:.0%}"
        axes.set_title(text, fontsize=8)
    return figure


def worst_mistakes(probabilities: Any, labels: Any, count: int = 24) -> Array:
    """Numbers of the images whose likeliest class is wrong, by rising probability of the right one."""
    shares, right = as_array(probabilities, "probabilities"), as_array(labels, "labels")
    (wrong,) = np.nonzero(shares.argmax(axis=1) != right)
    return wrong[np.argsort(shares[wrong, right[wrong]], kind="stable")][:count]


def confusion(matrix: Any, class_names: Sequence[str], *, figure: Any = None) -> Any:
    """A confusion matrix, rows the right classes. The colour is the share of the row, on a scale on which
    small shares, the mistakes, differ visibly.

    Raises:
        ValueError: a matrix that isn't square or doesn't fit the names.
        ImportError: matplotlib isn't installed.
    """
    counts = as_array(matrix, "matrix")
    classes = len(class_names)
    if counts.shape != (classes, classes) or not classes:
        raise ValueError(f"confusion: matrix {counts.shape}, {classes} names; expected a row per name")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(3.5, 0.45 * classes), 9)
    figure = blank(figure, side + 2.2, side + 1)
    from matplotlib.colors import PowerNorm

    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.4, 0, 1), interpolation="nearest")
    if classes <= _ALL_COUNTS:
        for (i, j), number in np.ndenumerate(counts):
            if number:
                colour = "white" if share[i, j] > 0.25 else "black"
                axes.text(j, i, str(number), ha="center", va="center", color=colour, fontsize=8)
    if classes <= _ALL_NAMES:
        names = [_short(name) for name in class_names]
        long = max(map(len, names)) > 3
        axes.set_xticks(range(classes), names, rotation=45 if long else 0, ha="right" if long else "center")
        axes.set_yticks(range(classes), names)
        axes.tick_params(labelsize=8, length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    bar = figure.colorbar(image, ax=axes, ticks=(0, 0.01, 0.05, 0.2, 0.5, 1), shrink=0.8)
    bar.ax.set_yticklabels(["0", "1%", "5%", "20%", "50%", "100%"], fontsize=8)
    bar.set_label("share of the class")
    return figure


def _checked(what: str, images: Any, probabilities: Any, labels: Any) -> tuple[Any, Array, Array]:
    # Images that stay in their files are read one by one.
    pictures = images if isinstance(images, ImageFiles) else as_array(images, "images")
    shares, right = as_array(probabilities, "probabilities"), as_array(labels, "labels")
    if shares.ndim != 2 or not len(pictures) == len(shares) == len(right) > 0:
        raise ValueError(
            f"{what}: images {pictures.shape}, probabilities {shares.shape}, labels {right.shape}; expected "
            "images, (n, classes) and (n), at least one"
        )
    return pictures, shares, right


def _short(name: str, length: int = 16) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
