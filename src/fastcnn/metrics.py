"""How often a classifier is right, and where it errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastcnn._arrays import Array, as_array

__all__ = [
    "ClassReport",
    "accuracy",
    "class_report",
    "confusion_matrix",
    "count_correct",
    "top_confusions",
    "top_k",
    "top_k_error",
]


def accuracy(output: Any, target: Any, k: int = 1) -> float:
    """Share of the rows of `output` (n, c) whose label, in `target` (n), is among the k largest.

    Raises:
        ValueError: shapes or elements that aren't scores and labels.
    """
    scores, labels = as_array(output, "output"), as_array(target, "target")
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or labels.dtype.kind not in "iu" or k < 1:
        raise ValueError(
            f"accuracy: output {scores.shape}, target {labels.shape} of {labels.dtype}, k={k}; "
            "expected (n, c), labels (n), and k of at least 1"
        )
    return count_correct(scores, labels, k) / len(scores) if len(scores) else float("nan")


def top_k_error(output: Any, target: Any, k: int = 5) -> float:
    """1 - accuracy: top-1 and top-5 errors are ImageNet's."""
    return 1.0 - accuracy(output, target, k)


def count_correct(output: Array, target: Array, k: int = 1) -> int:
    """How many rows of (n, c) have their label among the k largest; among equals those with the smaller label
    come first. 0 for arrays that aren't scores and labels."""
    if output.ndim != 2 or target.ndim != 1 or target.dtype.kind not in "iu" or len(output) == 0:
        return 0
    if k == 1:
        return int(np.count_nonzero(output.argmax(axis=1) == target))
    known = (target >= 0) & (target < output.shape[1])
    labels = target[known].astype(np.int64)[:, None]
    scores = output[known]
    own = np.take_along_axis(scores, labels, axis=1)
    ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < labels))
    return int(np.count_nonzero((ahead.sum(axis=1) < k) & ~np.isnan(own[:, 0])))


def top_k(output: Any, k: int = 5) -> Array:
    """The labels (n, min(k, c)) of the largest scores of each row of (n, c), the largest first; among equals
    the smaller label, and NaN last.

    Raises:
        ValueError: output of other axes, or k below 1.
    """
    scores = as_array(output, "output")
    if scores.ndim != 2 or k < 1:
        raise ValueError(f"top_k: output {scores.shape}, k={k}; expected (n, c), and k of at least 1")
    return np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]


def confusion_matrix(output: Any, target: Any, num_classes: int | None = None) -> Array:
    """How often class i was taken for class j: int64 (classes, classes), rows the labels of `target` (n).

    Args:
        output: scores (n, c), whose largest decides, or labels (n).
        num_classes: where labels alone don't say it; c, or one more than the largest label, when left out.

    Raises:
        ValueError: shapes or elements that aren't scores or labels; labels below 0 or of no class.
    """
    scores, labels = as_array(output, "output"), as_array(target, "target")
    predicted = scores.argmax(axis=1) if scores.ndim == 2 and scores.shape[1] else scores
    kinds = labels.dtype.kind + predicted.dtype.kind
    if labels.ndim != 1 or predicted.shape != labels.shape or not set(kinds) <= set("iu"):
        raise ValueError(
            f"confusion_matrix: output {scores.shape} of {scores.dtype}, target {labels.shape} of "
            f"{labels.dtype}; expected scores (n, c) or labels (n), and labels (n)"
        )
    right, said = labels.astype(np.int64), predicted.astype(np.int64)
    both = np.concatenate([right, said])
    classes = num_classes or (scores.shape[1] if scores.ndim == 2 else int(both.max(initial=-1)) + 1)
    if both.min(initial=0) < 0 or both.max(initial=-1) >= classes:
        raise ValueError(
            f"confusion_matrix: labels from {both.min()} to {both.max()}, expected 0 to {classes - 1}"
        )
    counts = np.bincount(right * classes + said, minlength=classes**2)
    return counts.reshape(classes, classes)


def top_confusions(matrix: Any, count: int = 10) -> list[tuple[int, int, int]]:
    """The commonest mistakes of a confusion matrix: (class, what it was taken for, how often), at most
    `count` of them."""
    counts = as_array(matrix, "matrix")
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    commonest = np.argsort(-wrong, axis=None, kind="stable")[:count]
    cells = zip(*np.unravel_index(commonest, counts.shape), strict=True)
    return [(int(i), int(j), int(wrong[i, j])) for i, j in cells if wrong[i, j]]


@dataclass(frozen=True)
class ClassReport:
    """Class by class: how much of what was called so is so, and how much of what is so was called so.

    `print` shows a table. 0 / 0 is NaN: the precision of a class that was never predicted, the recall of one
    without samples.

    Attributes:
        precision: right predictions of a class / predictions of it.
        recall: right predictions of a class / samples of it.
        f1: harmonic mean of both, 2 right / (predictions + samples).
        support: samples of each class.
    """

    class_names: tuple[str, ...]
    precision: Array
    recall: Array
    f1: Array
    support: Array

    def to_dicts(self) -> list[dict[str, Any]]:
        """One per class, of plain values; None for NaN, which JSON doesn't have."""
        columns = zip(self.precision, self.recall, self.f1, strict=True)
        return [
            {
                "class": name,
                **{
                    key: None if np.isnan(value) else float(value)
                    for key, value in zip(("precision", "recall", "f1"), values, strict=True)
                },
                "support": int(support),
            }
            for name, values, support in zip(self.class_names, columns, self.support, strict=True)
        ]

    def means(self) -> tuple[float, float, float]:
        """Precision, recall and F1 averaged over the classes for which they are numbers."""
        columns = [column[~np.isnan(column)] for column in (self.precision, self.recall, self.f1)]
        precision, recall, f1 = (float(column.mean()) if column.size else float("nan") for column in columns)
        return precision, recall, f1

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("class", "precision", "recall", "F1", "images")]
        columns = zip(self.precision, self.recall, self.f1, strict=True)
        for name, values, support in zip(self.class_names, columns, self.support, strict=True):
            rows.append((name, *map(_share, values), f"{support:,}"))
        rows.append(("mean", *map(_share, self.means()), f"{self.support.sum():,}"))
        width = max(len(row[0]) for row in rows)
        return "\n".join(row[0].ljust(width) + "".join(cell.rjust(11) for cell in row[1:]) for row in rows)


def class_report(matrix: Any, class_names: Sequence[str] = ()) -> ClassReport:
    """Precision, recall, F1 and support of each class, of a confusion matrix.

    Args:
        matrix: as `confusion_matrix` gives it.
        class_names: one per class; numbers from 0 when left out.

    Raises:
        ValueError: a matrix that isn't square, or another number of names than classes.
    """
    counts = as_array(matrix, "matrix")
    names = tuple(class_names) or tuple(map(str, range(len(counts))))
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or len(names) != len(counts):
        raise ValueError(
            f"class_report: matrix {counts.shape}, {len(names)} names; expected a square one, named"
        )
    right, predicted, support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return ClassReport(
            names, right / predicted, right / support, 2 * right / (predicted + support), support
        )


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"
