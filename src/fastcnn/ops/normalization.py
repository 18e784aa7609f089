"""Normalisation: by batch, by group, by layer, across maps and within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array, as_array
from fastcnn._core import make_op
from fastcnn.nn.options import shape_of, shape_to_normalize
from fastcnn.ops._run import backward, forward, only


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


def group_norm(x: Any, num_groups: int, gamma: Any = None, beta: Any = None, *, eps: float = 1e-5) -> Array:
    """y = gamma (x - mean) / sqrt(variance + eps) + beta, by groups of neighbouring channels.

    Wu and He, "Group normalization" (2018). Mean and biased variance are those of a group of c / num_groups
    channels of one sample, over all its pixels. PyTorch's definition.

    Args:
        x: (n, c) or (n, c, h, w); num_groups divides c.
        gamma, beta: (c), or None.
    """
    return forward(make_op("group_norm", groups=num_groups, eps=eps), x, gamma, beta)


def group_norm_backward(
    dy: Any, x: Any, num_groups: int, gamma: Any = None, beta: Any = None, *, eps: float = 1e-5
) -> tuple[Array, Array | None, Array | None]:
    """(dx, dgamma, dbeta) of `group_norm`; the latter two are None where gamma and beta are.

    With x̂ = (x - mean) / sqrt(variance + eps) and g = gamma dy: dbeta sums dy and dgamma sums dy x̂ over n, h
    and w, and dx = (g - mean of g - x̂ mean of g x̂) / sqrt(variance + eps), with the means of the group.
    """
    return _with_affine(backward(make_op("group_norm", groups=num_groups, eps=eps), dy, x, gamma, beta))


def layer_norm(
    x: Any,
    normalized_shape: int | Sequence[int],
    gamma: Any = None,
    beta: Any = None,
    *,
    eps: float = 1e-5,
) -> Array:
    """y = gamma (x - mean) / sqrt(variance + eps) + beta, by sample.

    Ba, Kiros and Hinton, "Layer normalization" (2016). Mean and biased variance are those over the last axes
    of x, and gamma and beta go by element of these. PyTorch's definition.

    Args:
        x: of any rank.
        normalized_shape: the extents of the last axes of x.
        gamma, beta: of that shape, or None.
    """
    op, array, rows = _layer_norm(x, normalized_shape, eps)
    y: Array = forward(op, array.reshape(rows), gamma, beta).reshape(array.shape)
    return y


def layer_norm_backward(
    dy: Any,
    x: Any,
    normalized_shape: int | Sequence[int],
    gamma: Any = None,
    beta: Any = None,
    *,
    eps: float = 1e-5,
) -> tuple[Array, Array | None, Array | None]:
    """(dx, dgamma, dbeta) of `layer_norm`, as those of `group_norm`; None where gamma and beta are."""
    op, array, rows = _layer_norm(x, normalized_shape, eps)
    seed = as_array(dy, "dy")
    seed = seed.reshape(rows) if seed.shape == array.shape else seed
    dx, dgamma, dbeta = _with_affine(backward(op, seed, array.reshape(rows), gamma, beta))
    return dx.reshape(array.shape), dgamma, dbeta


def local_response_norm(
    x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, *, blocked: bool = False
) -> Array:
    """y = x d^-beta with d = k + alpha / size · sum of x² over the `size` maps around each one.

    Krizhevsky, Sutskever and Hinton (2012), section 3.3, with PyTorch's and Caffe's alpha (theirs times
    size). Map i is normalised by maps i - size // 2 to i + (size - 1) // 2, as far as there are such, or,
    when `blocked`, by the one of the blocks [0, size), [size, 2 size), ... that holds it. Both are
    cuda-convnet's cmrnorm: its `scale` is alpha, its `pow` beta, and its `minDiv`, or 1 in the first version,
    k.

    Args:
        x: (n, c, h, w).
    """
    return forward(_local_response_norm(size, alpha, beta, k, blocked), x)


def local_response_norm_backward(
    dy: Any,
    x: Any,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    blocked: bool = False,
) -> Array:
    """dx of `local_response_norm`: dy d^-beta - 2 alpha beta / size · x · (sum of dy y / d over the maps that
    x is in the windows of)."""
    return only(backward(_local_response_norm(size, alpha, beta, k, blocked), dy, x))


def spatial_response_norm(
    x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """y = x d^-beta with d = k + alpha / size² · sum of x² over a window of the same map.

    cuda-convnet's rnorm. The window reaches size // 2 pixels up and left and (size - 1) // 2 down and right,
    as far as there is image; alpha is divided by size² at the sides, too.

    Args:
        x: (n, c, h, w).
    """
    return forward(_spatial_norm(size, alpha, beta, k, contrast=False), x)


def spatial_response_norm_backward(
    dy: Any, x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """dx of `spatial_response_norm`: dy d^-beta - 2 alpha beta / size² · x · (sum of dy y / d over the pixels
    that x is in the windows of)."""
    return only(backward(_spatial_norm(size, alpha, beta, k, contrast=False), dy, x))


def contrast_norm(x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """y = x d^-beta with d = k + alpha / size² · sum of (x - m)² over a window of the same map.

    cuda-convnet's cnorm. m is the mean of the pixels in the window around the pixel that it is subtracted
    from. Windows are those of `spatial_response_norm`. The numerator is x, not x - m, as in cuda-convnet.

    Args:
        x: (n, c, h, w).
    """
    return forward(_spatial_norm(size, alpha, beta, k, contrast=True), x)


def contrast_norm_backward(
    dy: Any, x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """dx of `contrast_norm`: dy d^-beta + g - (sum of g / pixels of the window) over the windows that hold x,
    where g = -2 alpha beta / size² · (x - m) · (sum of dy y / d over the windows that hold x).

    cuda-convnet leaves out the last sum: it takes m for a constant.
    """
    return only(backward(_spatial_norm(size, alpha, beta, k, contrast=True), dy, x))


def _with_affine(gradients: list[Array | None]) -> tuple[Array, Array | None, Array | None]:
    dx, dgamma, dbeta = gradients
    assert dx is not None
    return dx, dgamma, dbeta


def _layer_norm(
    x: Any, normalized_shape: int | Sequence[int], eps: float
) -> tuple[_core.Op, Array, tuple[int, ...]]:
    """The op, x as an array, and the shape in which the op reads it."""
    array, normalized = as_array(x, "layer_norm"), shape_of("layer_norm", normalized_shape)
    op = make_op("layer_norm", shape=normalized, eps=eps)
    return op, array, shape_to_normalize(array.shape, normalized)


def _local_response_norm(size: int, alpha: float, beta: float, k: float, blocked: bool) -> _core.Op:
    return make_op("local_response_norm", size=size, alpha=alpha, beta=beta, k=k, blocked=blocked)


def _spatial_norm(size: int, alpha: float, beta: float, k: float, contrast: bool) -> _core.Op:
    return make_op("spatial_norm", size=size, alpha=alpha, beta=beta, k=k, contrast=contrast)
