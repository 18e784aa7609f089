"""Softmax and losses."""

from __future__ import annotations

from typing import Any

from fastcnn._arrays import Array, as_array
from fastcnn._core import make_op
from fastcnn.nn.options import cross_entropy_op
from fastcnn.ops._run import backward, forward, only


def softmax(x: Any, axis: int = 1) -> Array:
    """y = exp(x) / (sum of exp(x) along `axis`): of (n, c), or of (n, c, h, w) at each place."""
    return forward(make_op("softmax", axis=axis), x)


def softmax_backward(dy: Any, x: Any, axis: int = 1) -> Array:
    """dx of `softmax`: y (dy - sum of dy y along `axis`)."""
    return only(backward(make_op("softmax", axis=axis), dy, x))


def cross_entropy(
    x: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:
    """-log softmax(x)[target], or in general -sum over c of q_c log p_c, with p = softmax(x) and
    q_c = weight_c ((1 - label_smoothing) t_c + label_smoothing / c), t the distribution that the target is.

    PyTorch's definition; label smoothing is of Szegedy et al., "Rethinking the Inception architecture"
    (2016).

    Args:
        x: logits (n, c).
        target: integer labels (n), in [0, c), or ignore_index for a row that counts for nothing; or
            distributions t (n, c).
        reduction: "mean", the sum divided by that of weight[target], or by n for distributions; "batchmean",
            divided by n; "sum"; or "none".
        weight: of the classes (c); 1 when left out.

    Returns:
        (), or (n) without reduction.
    """
    target = as_array(target, "target")
    op = cross_entropy_op(reduction, ignore_index, label_smoothing)
    return forward(op, x, target, weight, integer=(1,) if target.ndim == 1 else ())


def cross_entropy_backward(
    dy: Any,
    x: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """dx of `cross_entropy`: dy (p sum of q - q), divided as the reduction says: for plain labels
    dy (softmax(x) - onehot(target)). For distributions the tuple (dx, dtarget), with
    dtarget = -dy weight (1 - label_smoothing) log p."""
    target = as_array(target, "target")
    op = cross_entropy_op(reduction, ignore_index, label_smoothing)
    gradients = backward(op, dy, x, target, weight, integer=(1,) if target.ndim == 1 else ())
    return gradients[0] if target.ndim == 1 else tuple(gradients[:2])


def squared_error(x: Any, target: Any = None, reduction: str = "mean") -> Array:
    """(x - target)², or x² without a target, any shape: averaged over all elements ("mean"), summed ("sum",
    the textbook's E), summed and divided by the number of samples ("batchmean"), or by element ("none")."""
    inputs = (x,) if target is None else (x, target)
    return forward(make_op("squared_error", reduction=reduction), *inputs)


def squared_error_backward(dy: Any, x: Any, target: Any = None, reduction: str = "mean") -> Any:
    """(dx, dtarget) of `squared_error`: ±2 dy (x - target), divided by their number for the mean, by the
    number of samples for "batchmean". Without a target dx = 2 dy x alone."""
    op = make_op("squared_error", reduction=reduction)
    if target is None:
        return only(backward(op, dy, x))
    return tuple(backward(op, dy, x, target))


def binary_cross_entropy(
    x: Any, target: Any, reduction: str = "mean", *, pos_weight: Any = None, from_logits: bool = True
) -> Array:
    """-(a t log p + (1 - t) log(1 - p)), a question per element.

    Args:
        x: logits, p = 1 / (1 + e^-x); or, from_logits=False, p itself, in [0, 1], whose logarithms are kept
            at -100 and above as in PyTorch.
        target: t, in [0, 1], of the same shape.
        reduction: "mean" over all elements, "batchmean", "sum", or "none".
        pos_weight: a, of (1), or of (c) for x (n, c); 1 when left out.
    """
    op = make_op("binary_cross_entropy", from_logits=from_logits, reduction=reduction)
    return forward(op, x, target, pos_weight)


def binary_cross_entropy_backward(
    dy: Any,
    x: Any,
    target: Any,
    reduction: str = "mean",
    *,
    pos_weight: Any = None,
    from_logits: bool = True,
) -> tuple[Array, Array]:
    """(dx, dtarget) of `binary_cross_entropy`: of logits dx = dy ((1 + (a - 1) t) p - a t)."""
    op = make_op("binary_cross_entropy", from_logits=from_logits, reduction=reduction)
    dx, dtarget = backward(op, dy, x, target, pos_weight)[:2]
    assert dx is not None and dtarget is not None
    return dx, dtarget
