"""Batch normalisation."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward


def batch_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    training: bool = True,
    eps: float = 1e-5,
) -> Array:
    """y = gamma (x - mean) / sqrt(variance + eps) + beta, per channel.

    Ioffe and Szegedy, "Batch normalization" (2015). Mean and biased variance are those of x in training, and
    where there are no running ones; else the running ones, which stay as they are here.

    Args:
        x: (n, c) or (n, c, h, w).
        gamma, beta, running_mean, running_var: (c), or None.
    """
    op = _batch_norm(training, eps)
    return forward(op, x, gamma, beta, running_mean, running_var, training=training)


def batch_norm_backward(
    dy: Any,
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    training: bool = True,
    eps: float = 1e-5,
) -> tuple[Array, Array | None, Array | None]:
    """(dx, dgamma, dbeta) of `batch_norm`; the latter two are None where gamma and beta are.

    With x̂ = (x - mean) / sqrt(variance + eps), means over n, h and w: dbeta sums dy, dgamma sums dy x̂, and
    dx = gamma / sqrt(variance + eps) (dy - mean of dy - x̂ mean of dy x̂) in training, else without the means.
    """
    op = _batch_norm(training, eps)
    dx, dgamma, dbeta, _, _ = backward(op, dy, x, gamma, beta, running_mean, running_var)
    assert dx is not None
    return dx, dgamma, dbeta


def _batch_norm(training: bool, eps: float) -> _core.Op:
    return make_op("batch_norm", batch_statistics=training, eps=eps)
