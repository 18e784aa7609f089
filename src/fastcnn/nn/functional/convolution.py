"""Convolution and what belongs to it, as functions."""

from __future__ import annotations

from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply
from fastcnn.nn.options import Pair


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Any:
    """2-d convolution (cross-correlation): (n, c_in, h, w) to (n, c_out, h_out, w_out)."""
    op = make_op("conv2d", stride=stride, pad=padding, dilation=dilation, groups=groups, algorithm=algorithm)
    return apply(op, x, weight, bias)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> Any:
    """The transpose of a convolution with that weight, (c_in, c_out / groups, k_h, k_w)."""
    op = make_op(
        "conv_transpose2d",
        stride=stride,
        pad=padding,
        output_pad=output_padding,
        dilation=dilation,
        groups=groups,
        algorithm=algorithm,
    )
    return apply(op, x, weight, bias)


def locally_connected2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Any:
    """Convolution with filters of its own at each output position.

    weight (h_out, w_out, k_h, k_w, c_in / groups, c_out), bias (1, c_out, h_out, w_out).
    """
    op = make_op("locally_connected2d", stride=stride, pad=padding, dilation=dilation, groups=groups)
    return apply(op, x, weight, bias)


def untied_bias(x: Any, bias: Any) -> Any:
    """x + bias: (n, ...) and (1, ...), a number for each element of a sample."""
    return apply(make_op("untied_bias"), x, bias)


def gather_channels(x: Any, index: Any) -> Any:
    """x[:, index]: channels of (n, c) or (n, c, h, w) by their numbers, integers (m)."""
    return apply(make_op("gather_channels"), x, index, integer=(1,))
