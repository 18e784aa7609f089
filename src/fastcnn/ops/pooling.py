"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward, only

Pair = int | Sequence[int]


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
) -> Array:
    """Largest element of each window; padding never is the largest.

    Args:
        x: (n, c, h, w).
        stride: kernel_size when None; smaller ones let windows overlap.
        ceil_mode: rounds the output size up instead of down; windows that would start outside the image and
            its left padding are dropped (PyTorch's definition).

    Returns:
        (n, c, h_out, w_out), h_out = floor((h + 2 padding - kernel) / stride) + 1.
    """
    return forward(_max_pool2d(kernel_size, stride, padding, ceil_mode), x)


def max_pool2d_backward(
    dy: Any,
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
) -> Array:
    """dx of `max_pool2d`: each dy goes to the first largest element of its window."""
    return only(backward(_max_pool2d(kernel_size, stride, padding, ceil_mode), dy, x))


def _max_pool2d(kernel_size: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool) -> _core.Op:
    stride = kernel_size if stride is None else stride
    return make_op("max_pool2d", kernel=kernel_size, stride=stride, pad=padding, ceil_mode=ceil_mode)


def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Mean of each window.

    Args:
        count_include_pad: divides by the window's size within the padded image; False: within the image.
        The others are those of `max_pool2d`.
    """
    return forward(_avg_pool2d(kernel_size, stride, padding, ceil_mode, count_include_pad), x)


def avg_pool2d_backward(
    dy: Any,
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """dx of `avg_pool2d`: each dy is shared equally by its window. Of x only the shape matters."""
    return only(backward(_avg_pool2d(kernel_size, stride, padding, ceil_mode, count_include_pad), dy, x))


def _avg_pool2d(
    kernel_size: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool, count_include_pad: bool
) -> _core.Op:
    return make_op(
        "avg_pool2d",
        kernel=kernel_size,
        stride=kernel_size if stride is None else stride,
        pad=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def adaptive_avg_pool2d(x: Any, output_size: Pair) -> Array:
    """Mean of each of output_size windows that share out the image: (n, c, h, w) to (n, c, *output_size).

    Window i holds the rows from floor(i h / h_out) to before ceil((i + 1) h / h_out), columns alike, as in
    PyTorch.
    """
    return forward(make_op("adaptive_avg_pool2d", output=output_size), x)


def adaptive_avg_pool2d_backward(dy: Any, x: Any, output_size: Pair) -> Array:
    """dx of `adaptive_avg_pool2d`. Of x only the shape matters."""
    return only(backward(make_op("adaptive_avg_pool2d", output=output_size), dy, x))
