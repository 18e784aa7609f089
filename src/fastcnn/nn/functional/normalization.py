"""Normalisation as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply
from fastcnn.nn.functional._inputs import shape_of_input
from fastcnn.nn.functional.shaping import reshape
from fastcnn.nn.options import shape_of, shape_to_normalize


def local_response_norm(
    x: Any,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    blocked: bool = False,
) -> Any:
    """x / (k + alpha / size · sum of x² over `size` neighbouring maps, or those of a block)^beta."""
    op = make_op("local_response_norm", size=size, alpha=alpha, beta=beta, k=k, blocked=blocked)
    return apply(op, x)


def spatial_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha / size² · sum of x² over size × size pixels of the same map)^beta."""
    return apply(make_op("spatial_norm", size=size, alpha=alpha, beta=beta, k=k), x)


def contrast_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha / size² · sum of (x - local mean)² over size × size pixels of the same map)^beta."""
    return apply(make_op("spatial_norm", size=size, alpha=alpha, beta=beta, k=k, contrast=True), x)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """weight (x - mean) / sqrt(variance + eps) + bias, by the statistics of groups of channels."""
    return apply(make_op("group_norm", groups=num_groups, eps=eps), x, weight, bias)


def layer_norm(
    x: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """weight (x - mean) / sqrt(variance + eps) + bias, by the statistics of the last axes of a sample."""
    normalized = shape_of("layer_norm", normalized_shape)
    op = make_op("layer_norm", shape=normalized, eps=eps)
    shape = shape_of_input(x)
    rows = shape_to_normalize(shape, normalized)
    if rows == shape:
        return apply(op, x, weight, bias)
    return reshape(apply(op, reshape(x, rows), weight, bias), shape)


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """weight (x - mean) / sqrt(variance + eps) + bias per channel, for (n, c) and (n, c, h, w).

    Mean and variance are the batch's in training and where there are no running ones. Where these are Buffers
    of a model in training, they move towards those of the batch by `momentum`.
    """
    op = make_op("batch_norm", eps=eps, momentum=momentum, batch_statistics=training)
    return apply(op, x, weight, bias, running_mean, running_var)
