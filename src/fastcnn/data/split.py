"""Shares of a dataset, and how often its classes occur."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def stratified_split(labels: Array, fraction: float, seed: int = 0) -> tuple[Array, Array]:
    """Indices of the samples to keep and of those to hold out, each ascending.

    Of all samples, round(fraction * n) are held out, of each class its share up to one sample, but never all
    of a class; which ones follows from `seed` alone.

    Args:
        labels: integers (n).
        fraction: from 0 to below 1.

    Raises:
        ValueError: a fraction out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction is {fraction}, expected 0 <= fraction < 1")
    classes, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    share = fraction * counts
    held = np.floor(share).astype(np.int64)
    missing = round(fraction * len(labels)) - int(held.sum())
    held[np.argsort(held - share, kind="stable")[:missing]] += 1  # the largest remainders
    held = np.minimum(held, counts - 1)
    random = np.random.default_rng(seed)
    is_held = np.zeros(len(labels), bool)
    for i in range(len(classes)):
        is_held[random.permutation(np.flatnonzero(members == i))[: held[i]]] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def class_weights(labels: Array, num_classes: int | None = None) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Weights for `nn.CrossEntropyLoss(weight=...)` under which every class counts the same: n / (k * n_c)
    for a class that has n_c of the n samples, k classes having any; 0 for one without samples.

    Args:
        labels: integers (n).
        num_classes: length of the result; when left out, up to the largest label.

    Raises:
        ValueError: labels that are not those of `num_classes` classes.
    """
    if num_classes is not None:
        check_labels(labels, num_classes)
    counts = np.bincount(labels, minlength=num_classes or 0)
    present = counts > 0
    weights = np.zeros(len(counts), np.float32)
    weights[present] = len(labels) / (np.count_nonzero(present) * counts[present])
    return weights


def check_labels(labels: Array, num_classes: int) -> None:
    """Makes sure that a model of `num_classes` outputs can be trained on `labels`.

    Raises:
        ValueError: labels that aren't integers (n) in [0, num_classes); says which, where, and how many.
    """
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.shape} {labels.dtype}, expected (n) integers")
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        raise ValueError(
            f"label {labels[wrong[0]]} of sample {wrong[0]}, expected 0 to {num_classes - 1}, as the model "
            f"has {num_classes} outputs; {len(wrong):,} of {len(labels):,} labels are out of range"
        )
