"""Losses as functions."""

from __future__ import annotations

from typing import Any

from fastcnn._arrays import as_array
from fastcnn._core import make_op
from fastcnn.engine.symbol import Symbol
from fastcnn.engine.tensor import Tensor, apply
from fastcnn.nn.options import cross_entropy_op


def cross_entropy(
    x: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """-log softmax(x)[target]: logits (n, c) and labels (n), or distributions over the classes (n, c), to a
    scalar, or (n) with reduction="none". See nn.CrossEntropyLoss."""
    if not isinstance(target, (Symbol, Tensor)):
        target = as_array(target, "cross_entropy")
    op = cross_entropy_op(reduction, ignore_index, label_smoothing)
    return apply(op, x, target, weight, integer=(1,) if target.ndim == 1 else ())


def mse_loss(x: Any, target: Any = None, reduction: str = "mean") -> Any:
    """(x - target)², or x², averaged ("mean"), summed ("sum", the textbook's E), summed and divided by the
    number of samples ("batchmean"), or by element ("none")."""
    inputs = (x,) if target is None else (x, target)
    return apply(make_op("squared_error", reduction=reduction), *inputs)


def binary_cross_entropy_with_logits(
    x: Any, target: Any, reduction: str = "mean", *, pos_weight: Any = None
) -> Any:
    """-(a t log p + (1 - t) log(1 - p)), p = 1 / (1 + e^-x), a = pos_weight: (1), or (c) for x (n, c)."""
    return apply(make_op("binary_cross_entropy", reduction=reduction), x, target, pos_weight)


def binary_cross_entropy(p: Any, target: Any, reduction: str = "mean", *, pos_weight: Any = None) -> Any:
    """As binary_cross_entropy_with_logits, of probabilities."""
    op = make_op("binary_cross_entropy", from_logits=False, reduction=reduction)
    return apply(op, p, target, pos_weight)
