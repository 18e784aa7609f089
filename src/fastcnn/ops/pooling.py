"""Pooling."""

from __future__ import annotations

from typing import Any

from fastcnn._arrays import Array, as_array
from fastcnn._core import make_op
from fastcnn.nn.options import Pair, nailbed_op, pool2d_op, pool_channels_op
from fastcnn.ops._run import backward, forward, forward_all, only


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    start: Pair | None = None,
    output_size: Pair | None = None,
    return_indices: bool = False,
) -> Any:
    """Largest element of each window; padding never is the largest.

    Args:
        x: (n, c, h, w).
        stride: kernel_size when None; smaller ones let windows overlap.
        ceil_mode: rounds the output size up instead of down; windows that would start outside the image and
            its left padding are dropped (PyTorch's definition).
        start: where the first window begins, -padding when None: negative outside of the image, which then
            has no padding at the far sides, positive within it. With ceil_mode, h_out = ceil((h - start -
            kernel) / stride) + 1, which is cuda-convnet's size.
        output_size: how many windows there are instead, cuda-convnet's `outputsX`. They are clipped at the
            far sides.
        return_indices: also gives the place of the largest element in its image, row w + column.

    Returns:
        (n, c, h_out, w_out), h_out = floor((h + 2 padding - kernel) / stride) + 1; with return_indices a
        tuple of it and the indices, int64.

    Raises:
        ShapeError: no window fits, or one would begin beyond the image.
        ValueError: padding of more than half the kernel, a start that leaves the first window outside,
            or both.
    """
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    if return_indices:
        return tuple(forward_all(pool2d_op("max_pool2d", *windows, return_indices=True), x))
    return forward(pool2d_op("max_pool2d", *windows), x)


def max_pool2d_backward(dy: Any, x: Any, *windows: Any, **options: Any) -> Array:
    """dx of `max_pool2d`: each dy goes to the first largest element of its window."""
    return only(backward(pool2d_op("max_pool2d", *windows, **options), dy, x))


def max_abs_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    start: Pair | None = None,
    output_size: Pair | None = None,
) -> Array:
    """Element of the largest magnitude of each window, with its sign (cuda-convnet2's `maxabs`).

    The windows are those of `max_pool2d`.
    """
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    return forward(pool2d_op("max_pool2d", *windows, abs=True), x)


def max_abs_pool2d_backward(dy: Any, x: Any, *windows: Any, **options: Any) -> Array:
    """dx of `max_abs_pool2d`: each dy goes to the first element of the largest magnitude of its window."""
    return only(backward(pool2d_op("max_pool2d", *windows, abs=True, **options), dy, x))


def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    start: Pair | None = None,
    output_size: Pair | None = None,
    count_include_pad: bool = True,
) -> Array:
    """Mean of each window.

    Args:
        count_include_pad: divides by the window's size within the padded image; False: within the image, as
            cuda-convnet does.
        The others are those of `max_pool2d`.
    """
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    return forward(pool2d_op("avg_pool2d", *windows, count_include_pad=count_include_pad), x)


def avg_pool2d_backward(dy: Any, x: Any, *windows: Any, **options: Any) -> Array:
    """dx of `avg_pool2d`: each dy is shared equally by its window. Of x only the shape matters."""
    return only(backward(pool2d_op("avg_pool2d", *windows, **options), dy, x))


def sum_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    start: Pair | None = None,
    output_size: Pair | None = None,
) -> Array:
    """Sum of each window (cuda-convnet2's `sum` of average pools). The windows are those of `max_pool2d`."""
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    return forward(pool2d_op("avg_pool2d", *windows, sum=True), x)


def sum_pool2d_backward(dy: Any, x: Any, *windows: Any, **options: Any) -> Array:
    """dx of `sum_pool2d`: each dy goes to all of its window. Of x only the shape matters."""
    return only(backward(pool2d_op("avg_pool2d", *windows, sum=True, **options), dy, x))


def stochastic_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    start: Pair | None = None,
    output_size: Pair | None = None,
    seed: int = 0,
    step: int = 0,
    stream: int = 0,
    training: bool = True,
) -> Array:
    """Element i of each window with the probability p_i = x_i / (sum of x); their mean unless training.

    Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks" (2013):
    the mean is y = sum of p_i x_i. Elements that are not positive have p_i = 0; where none is positive, y is
    0. What is drawn is a pure function of (seed, step, stream) and of the window's place. The windows are
    those of `max_pool2d`.
    """
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    op = pool2d_op("stochastic_pool2d", *windows, sample=training, stream=stream)
    return forward(op, x, training=training, state=(seed, step))


def stochastic_pool2d_backward(
    dy: Any,
    x: Any,
    *windows: Any,
    seed: int = 0,
    step: int = 0,
    stream: int = 0,
    training: bool = True,
    **options: Any,
) -> Array:
    """dx of `stochastic_pool2d`: each dy goes to the element that was drawn.

    That of the mean, unless training: dy (2 x_i - y) / (sum of x) for positive x_i. Where none is positive it
    is 0.
    """
    op = pool2d_op("stochastic_pool2d", *windows, sample=training, stream=stream, **options)
    return only(backward(op, dy, x, state=(seed, step)))


def adaptive_avg_pool2d(x: Any, output_size: Pair) -> Array:
    """Mean of each of output_size windows that share out the image: (n, c, h, w) to (n, c, *output_size).

    Window i holds the rows from floor(i h / h_out) to before ceil((i + 1) h / h_out), columns alike, as in
    PyTorch. Size 1 is the global average.
    """
    return forward(make_op("avg_pool2d", output=output_size), x)


def adaptive_avg_pool2d_backward(dy: Any, x: Any, output_size: Pair) -> Array:
    """dx of `adaptive_avg_pool2d`. Of x only the shape matters."""
    return only(backward(make_op("avg_pool2d", output=output_size), dy, x))


def adaptive_max_pool2d(x: Any, output_size: Pair) -> Array:
    """Largest element of each of the windows of `adaptive_avg_pool2d`."""
    return forward(make_op("max_pool2d", output=output_size), x)


def adaptive_max_pool2d_backward(dy: Any, x: Any, output_size: Pair) -> Array:
    """dx of `adaptive_max_pool2d`: each dy goes to the first largest element of its window."""
    return only(backward(make_op("max_pool2d", output=output_size), dy, x))


def max_pool_channels(
    x: Any,
    size: int,
    stride: int | None = None,
    *,
    start: int = 0,
    output_size: int | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Largest of `size` neighbouring channels: maxout where stride is size (Goodfellow et al. 2013).

    y[:, o] = max of x[:, start + o stride + i], 0 <= i < size, over the channels that there are. With start
    <= 0 and output_size it is cuda-convnet2's `cmpool`.

    Args:
        x: (n, c, h, w) or (n, c).
        stride: size when None.
        start: the channel where the first window begins; windows are clipped at both ends.
        output_size: how many channels come out; when None, floor((c - start - size) / stride) + 1, rounded up
            with ceil_mode.

    Raises:
        ShapeError: no window fits, or one would begin beyond the channels.
        ValueError: a size, stride or output_size below 1, a start that leaves the first window outside.
    """
    return forward(pool_channels_op("max", size, stride, start, output_size, ceil_mode), x)


def max_pool_channels_backward(dy: Any, x: Any, *windows: Any, **options: Any) -> Array:
    """dx of `max_pool_channels`: each dy goes to the first largest channel of its window."""
    return only(backward(pool_channels_op("max", *windows, **options), dy, x))


def avg_pool_channels(
    x: Any,
    size: int,
    stride: int | None = None,
    *,
    start: int = 0,
    output_size: int | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Mean of `size` neighbouring channels, of as many as there are; the windows are max_pool_channels'."""
    return forward(pool_channels_op("avg", size, stride, start, output_size, ceil_mode), x)


def avg_pool_channels_backward(dy: Any, x: Any, *windows: Any, **options: Any) -> Array:
    """dx of `avg_pool_channels`: each dy is shared equally by its window. Of x only the shape matters."""
    return only(backward(pool_channels_op("avg", *windows, **options), dy, x))


def gaussian_blur(x: Any, kernel_size: int, sigma: float) -> Array:
    """Each channel convolved with a Gaussian of kernel_size x kernel_size taps, which sum to 1.

    f(i) = exp(-i² / (2 sigma²)) / sum, |i| <= kernel_size / 2, along both axes; x is 0 beyond its sides. It
    is cuda-convnet's layer `blur`.

    Args:
        x: (n, c, h, w).
        kernel_size: odd.
        sigma: the standard deviation, in pixels.
    """
    return forward(make_op("gaussian_blur", size=kernel_size, sigma=sigma), x)


def gaussian_blur_backward(dy: Any, x: Any, kernel_size: int, sigma: float) -> Array:
    """dx of `gaussian_blur`: dy blurred. Of x only the shape matters."""
    return only(backward(make_op("gaussian_blur", size=kernel_size, sigma=sigma), dy, x))


def nailbed(x: Any, stride: Pair, start: Pair | None = None) -> Array:
    """One pixel of each stride x stride, on a grid that begins at `start`: cuda-convnet's layer `nailbed`.

    Args:
        x: (n, c, h, w).
        start: when None, the grid of ceil(h / stride) rows lies in the middle: floor((h - stride
            (ceil(h / stride) - 1)) / 2), columns alike.
    """
    return forward(nailbed_op(as_array(x, "nailbed").shape, stride, start), x)


def nailbed_backward(dy: Any, x: Any, stride: Pair, start: Pair | None = None) -> Array:
    """dx of `nailbed`: dy on the grid, 0 beside it. Of x only the shape matters."""
    return only(backward(nailbed_op(as_array(x, "nailbed").shape, stride, start), dy, x))
