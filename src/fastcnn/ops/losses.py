"""Softmax and losses."""

from __future__ import annotations

from typing import Any

from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward, only


def softmax(x: Any, axis: int = 1) -> Array:
    """y = exp(x) / (sum of exp(x) along `axis`): of (n, c), or of (n, c, h, w) at each place."""
    return forward(make_op("softmax", axis=axis), x)


def softmax_backward(dy: Any, x: Any, axis: int = 1) -> Array:
    """dx of `softmax`: y (dy - sum of dy y along `axis`)."""
    return only(backward(make_op("softmax", axis=axis), dy, x))


def cross_entropy(x: Any, target: Any, reduction: str = "mean") -> Array:
    """-log softmax(x)[target].

    Args:
        x: logits (n, c).
        target: integer labels (n), in [0, c).
        reduction: "mean" over n, "sum", or "none".

    Returns:
        (), or (n) without reduction.
    """
    return forward(make_op("softmax_cross_entropy", reduction=reduction), x, target, integer=(1,))


def cross_entropy_backward(dy: Any, x: Any, target: Any, reduction: str = "mean") -> Array:
    """dx of `cross_entropy`: dy (softmax(x) - onehot(target)), divided by n for the mean."""
    op = make_op("softmax_cross_entropy", reduction=reduction)
    return only(backward(op, dy, x, target, integer=(1,)))


def squared_error(x: Any, target: Any, reduction: str = "mean") -> Array:
    """(x - target)², any shape: averaged over all elements, summed (the textbook's E), or by element."""
    return forward(make_op("squared_error", reduction=reduction), x, target)


def squared_error_backward(dy: Any, x: Any, target: Any, reduction: str = "mean") -> tuple[Array, Array]:
    """(dx, dtarget) of `squared_error`: ±2 dy (x - target), divided by their number for the mean."""
    dx, dtarget = backward(make_op("squared_error", reduction=reduction), dy, x, target)
    assert dx is not None and dtarget is not None
    return dx, dtarget
