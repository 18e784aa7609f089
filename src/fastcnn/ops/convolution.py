"""Convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward

Pair = int | Sequence[int]


def conv2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Array:
    """y[n,o,i,j] = b[o] + sum over c,p,q of w[o,c,p,q] x[n, c, i s - pad + p d, j s - pad + q d].

    The textbook's convolution layer, without flipping the kernel (cross-correlation, as all frameworks have
    it).

    Args:
        x: (n, c_in, h, w).
        w: (c_out, c_in / groups, k_h, k_w).
        b: (c_out), or None.
        stride, padding, dilation: one number, or (height, width).
        algorithm: "auto", or one by name, which raises ValueError for shapes that it doesn't take.

    Returns:
        (n, c_out, h_out, w_out), h_out = floor((h + 2 padding - dilation (k_h - 1) - 1) / stride) + 1.
    """
    return forward(_conv2d(stride, padding, dilation, groups, algorithm), x, w, b)


def conv2d_backward(
    dy: Any,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db) of `conv2d`; db is None where b is.

    dw correlates x with dy, dx spreads dy through w, db sums dy over n, h_out and w_out.
    """
    dx, dw, db = backward(_conv2d(stride, padding, dilation, groups, algorithm), dy, x, w, b)
    assert dx is not None and dw is not None
    return dx, dw, db


def _conv2d(stride: Pair, padding: Pair, dilation: Pair, groups: int, algorithm: str) -> _core.Op:
    return make_op(
        "conv2d", stride=stride, pad=padding, dilation=dilation, groups=groups, algorithm=algorithm
    )
