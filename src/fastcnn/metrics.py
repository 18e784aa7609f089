"""How often a classifier is right."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn._arrays import Array, as_array

__all__ = ["accuracy", "count_correct", "top_k_error"]


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
