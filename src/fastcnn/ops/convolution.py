"""Convolution."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.nn.options import Pair
from fastcnn.ops._run import backward, forward, only


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


def conv_transpose2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Array:
    """y[n,o,u,v] = b[o] + sum over c,p,q of w[c,o,p,q] x[n,c,i,j], u = i s - pad + p d, v = j s - pad + q d.

    Each x is spread over a window of y: the gradient of a convolution from y to x with the weights w. Zeiler
    et al., "Deconvolutional networks" (2010); PyTorch's definition.

    Args:
        x: (n, c_in, h, w).
        w: (c_in, c_out / groups, k_h, k_w).
        b: (c_out), or None.
        stride, padding, dilation: those of the convolution that this is the transpose of; one number, or
            (height, width).
        output_padding: more rows and columns at the end of y, fewer than the larger of stride and dilation.
        algorithm: as for `conv2d`.

    Returns:
        (n, c_out, h_out, w_out), h_out = (h - 1) stride - 2 padding + dilation (k_h - 1) + 1 +
        output_padding.
    """
    return forward(_conv_transpose2d(stride, padding, output_padding, dilation, groups, algorithm), x, w, b)


def conv_transpose2d_backward(
    dy: Any,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db) of `conv_transpose2d`; db is None where b is.

    dx is the convolution of dy with w, dw correlates dy with x, db sums dy over n, h_out and w_out.
    """
    op = _conv_transpose2d(stride, padding, output_padding, dilation, groups, algorithm)
    dx, dw, db = backward(op, dy, x, w, b)
    assert dx is not None and dw is not None
    return dx, dw, db


def _conv_transpose2d(
    stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair, groups: int, algorithm: str
) -> _core.Op:
    return make_op(
        "conv_transpose2d",
        stride=stride,
        pad=padding,
        output_pad=output_padding,
        dilation=dilation,
        groups=groups,
        algorithm=algorithm,
    )


def gather_channels(x: Any, index: Any) -> Array:
    """y[:, j] = x[:, index[j]]: what the groups of a sparsely connected convolution read, for instance.

    Args:
        x: (n, c) or (n, c, h, w).
        index: integers (m) in [0, c), in any order and any number of times.
    """
    return forward(make_op("gather_channels"), x, index, integer=(1,))


def gather_channels_backward(dy: Any, x: Any, index: Any) -> Array:
    """dx of `gather_channels`: for each channel the sum of dy over the places that hold its number."""
    return only(backward(make_op("gather_channels"), dy, x, index, integer=(1,)))


def locally_connected2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Array:
    """y[n,o,i,j] = b[0,o,i,j] + sum over p,q,c of w[i,j,p,q,c,o] x[n, c, i s - pad + p d, j s - pad + q d].

    A convolution whose filters and biases differ from position to position: cuda-convnet's `local` layer;
    Taigman et al., "DeepFace" (2014), section 2.2.

    Args:
        x: (n, c_in, h, w).
        w: (h_out, w_out, k_h, k_w, c_in / groups, c_out): at each position a matrix from the window, channels
            innermost, to the outputs. Keras's LocallyConnected2D has the same order, cuda-convnet (positions,
            channels, taps) in the rows of a matrix:
            `matrix.reshape(h_out, w_out, c, k_h, k_w, c_out).transpose(0, 1, 3, 4, 2, 5)`.
        b: (1, c_out, h_out, w_out), or None.
        stride, padding, dilation: one number, or (height, width).

    Returns:
        (n, c_out, h_out, w_out), of the extents that `conv2d` has.
    """
    return forward(_locally_connected2d(stride, padding, dilation, groups), x, w, b)


def locally_connected2d_backward(
    dy: Any,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db) of `locally_connected2d`; db is None where b is.

    At each position dw multiplies the windows of x with dy, summed over n; dx sums dy times w over the
    windows that meet a pixel; db sums dy over n.
    """
    op = _locally_connected2d(stride, padding, dilation, groups)
    dx, dw, db = backward(op, dy, x, w, b)
    assert dx is not None and dw is not None
    return dx, dw, db


def _locally_connected2d(stride: Pair, padding: Pair, dilation: Pair, groups: int) -> _core.Op:
    return make_op("locally_connected2d", stride=stride, pad=padding, dilation=dilation, groups=groups)


def untied_bias(x: Any, b: Any) -> Array:
    """y = x + b, a number for each element of a sample: cuda-convnet's biases with `sharedBiases=0`.

    Args:
        x: (n, ...), such as what a convolution without a bias gives.
        b: (1, ...), of the same extents behind the first.
    """
    return forward(make_op("untied_bias"), x, b)


def untied_bias_backward(dy: Any, x: Any, b: Any) -> tuple[Array, Array]:
    """(dx, db) of `untied_bias`: dy, and its sum over n. Of x and b only the shapes matter."""
    dx, db = backward(make_op("untied_bias"), dy, x, b)
    assert dx is not None and db is not None
    return dx, db
