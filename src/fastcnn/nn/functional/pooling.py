"""Pooling as functions."""

from __future__ import annotations

from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply, apply_all
from fastcnn.nn.functional._inputs import shape_of_input, stream_of
from fastcnn.nn.options import Pair, nailbed_op, pair_of, pool2d_op, pool_channels_op


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    *,
    start: Pair | None = None,
    output_size: Pair | None = None,
    return_indices: bool = False,
) -> Any:
    """Largest element of each window; stride defaults to kernel_size. With return_indices also its place in
    the image, row w + column, as int64 of the same shape: a tuple (y, indices)."""
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    if not return_indices:
        return apply(pool2d_op("max_pool2d", *windows), x)
    return apply_all(pool2d_op("max_pool2d", *windows, return_indices=True), x)


def max_abs_pool2d(x: Any, *windows: Any, **options: Any) -> Any:
    """Element of the largest magnitude of each window, with its sign; arguments as of max_pool2d."""
    return apply(pool2d_op("max_pool2d", *windows, **options, abs=True), x)


def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    start: Pair | None = None,
    output_size: Pair | None = None,
) -> Any:
    """Mean of each window; stride defaults to kernel_size."""
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    return apply(pool2d_op("avg_pool2d", *windows, count_include_pad=count_include_pad), x)


def sum_pool2d(x: Any, *windows: Any, **options: Any) -> Any:
    """Sum of each window; arguments as of max_pool2d."""
    return apply(pool2d_op("avg_pool2d", *windows, **options, sum=True), x)


def stochastic_pool2d(x: Any, *windows: Any, training: bool = True, **options: Any) -> Any:
    """Element of each window, drawn with p_i = x_i / (sum of x), in training, else the sum of p_i x_i;
    arguments as of max_pool2d."""
    stream = stream_of(x) if training else 0
    return apply(pool2d_op("stochastic_pool2d", *windows, **options, sample=training, stream=stream), x)


def adaptive_avg_pool2d(x: Any, output_size: Pair) -> Any:
    """Mean of each of output_size windows that share out the input, as in PyTorch."""
    return _adaptive_pool2d("avg_pool2d", x, output_size)


def adaptive_max_pool2d(x: Any, output_size: Pair) -> Any:
    """Largest element of each of output_size windows that share out the input, as in PyTorch."""
    return _adaptive_pool2d("max_pool2d", x, output_size)


def _adaptive_pool2d(kind: str, x: Any, output_size: Pair) -> Any:
    wanted = pair_of("adaptive_" + kind, "output_size", output_size)
    if shape_of_input(x)[2:] == wanted:
        return x
    return apply(make_op(kind, output=wanted), x)


def max_pool_channels(x: Any, size: int, stride: int | None = None, **options: Any) -> Any:
    """Largest of `size` neighbouring channels; options as of ops.max_pool_channels."""
    return apply(pool_channels_op("max", size, stride, **options), x)


def avg_pool_channels(x: Any, size: int, stride: int | None = None, **options: Any) -> Any:
    """Mean of `size` neighbouring channels; options as of ops.max_pool_channels."""
    return apply(pool_channels_op("avg", size, stride, **options), x)


def gaussian_blur(x: Any, kernel_size: int, sigma: float) -> Any:
    """Each channel convolved with a Gaussian, the image being 0 beyond its sides."""
    return apply(make_op("gaussian_blur", size=kernel_size, sigma=sigma), x)


def nailbed(x: Any, stride: Pair, start: Pair | None = None) -> Any:
    """One pixel of each stride x stride, from `start` on; in the middle when None."""
    return apply(nailbed_op(shape_of_input(x), stride, start), x)
