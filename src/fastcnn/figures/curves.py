"""Training epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastcnn.figures._canvas import BLUE, GREY, VERMILION, blank
from fastcnn.train.results import Epoch

_LOGARITHMIC = 30  # from this ratio of largest to smallest on


def curves(history: Sequence[Epoch] | Sequence[Mapping[str, Any]], *, figure: Any = None) -> Any:
    """Loss, accuracy and learning rate by epoch, the one of the lowest validation loss marked.

    Args:
        history: what `Trainer.fit` returns, or per epoch a dict as JSONLog writes it: `epoch`, and as far as
            they are known `train_loss`, `validation_loss`, `train_accuracy`, `validation_accuracy`, `lr`.

    Raises:
        ValueError: no entries.
        ImportError: matplotlib isn't installed.
    """
    log = [entry.to_dict() if isinstance(entry, Epoch) else entry for entry in history]
    if not log:
        raise ValueError("curves: no epochs")
    figure = blank(figure, 7.5, 6.5)
    loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.6))
    epochs = [entry["epoch"] for entry in log]
    for axes, what in ((loss, "loss"), (accuracy, "accuracy")):
        for part, colour, style in (("train", BLUE, "--"), ("validation", VERMILION, "-")):
            values = _column(log, f"{part}_{what}")
            if not np.isnan(values).all():
                label = "training" if part == "train" else part
                axes.plot(epochs, values, style, color=colour, label=label, **_markers(epochs))
        axes.set_ylabel(what)
        axes.legend(frameon=False)
    _mark_best(loss, accuracy, epochs, log)
    rates = _column(log, "lr")
    rate.plot(epochs, rates, color="black", **_markers(epochs))
    rate.set_ylabel("learning rate")
    rate.set_xlabel("epoch")
    rate.xaxis.get_major_locator().set_params(integer=True)
    for axes, values in ((loss, _column(log, "train_loss")), (rate, rates)):
        if values.min() > 0 and values.max() / values.min() > _LOGARITHMIC:
            axes.set_yscale("log")
    for axes in (loss, accuracy, rate):
        axes.grid(color=GREY, alpha=0.3, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _column(log: Sequence[Mapping[str, Any]], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if entry.get(name) is None else entry[name] for entry in log], np.float64)


def _markers(epochs: Sequence[Any]) -> dict[str, Any]:
    """A point for each of few epochs; of a single one there is no line."""
    return {"marker": "o" if len(epochs) <= 30 else "", "markersize": 3}


def _mark_best(loss: Any, accuracy: Any, epochs: Sequence[Any], log: Sequence[Mapping[str, Any]]) -> None:
    """A line at the epoch of the lowest validation loss, with its accuracy."""
    losses, accuracies = _column(log, "validation_loss"), _column(log, "validation_accuracy")
    if np.isnan(losses).all():
        return
    best = int(np.nanargmin(losses))
    for axes in (loss, accuracy):
        axes.axvline(epochs[best], color=VERMILION, linewidth=0.8, linestyle=":")
    accuracy.annotate(
        f"{accuracies[best]:.4f} in epoch {epochs[best]}",
        (epochs[best], accuracies[best]),
        xytext=(-5 if best >= len(epochs) / 2 else 5, -12),
        textcoords="offset points",
        ha="right" if best >= len(epochs) / 2 else "left",
        va="top",
    )
