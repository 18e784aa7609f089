"""Pooling."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.functional import Pair
from fastcnn.nn.module import Module
from fastcnn.nn.parameter import pair_of


class MaxPool2d(Module):
    """Largest element of each window: (n, c, h, w) to (n, c, h_out, w_out).

    h_out = floor((h + 2 padding - kernel) / stride) + 1; with `ceil_mode` rounded up, without windows that
    start outside the image and its left padding (as PyTorch has it; Caffe's and cuda-convnet's pools round
    up).

    Args:
        kernel_size, padding: one integer, or (height, width).
        stride: the same; kernel_size when left out. Windows overlap where it is smaller.
    """

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        # The core checks them.
        _core.make_op("max_pool2d", kernel=kernel_size, stride=self.stride, pad=padding, ceil_mode=ceil_mode)

    def forward(self, x: Any) -> Any:
        return functional.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode)

    def extra_repr(self) -> str:
        return _pool_repr(self)


class AvgPool2d(Module):
    """Mean of each window: (n, c, h, w) to (n, c, h_out, w_out), of the same size as MaxPool2d's.

    Args:
        count_include_pad: divides by the window's whole size; False: by that of its part in the image.
        The others are MaxPool2d's.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        # The core checks them.
        _core.make_op("avg_pool2d", kernel=kernel_size, stride=self.stride, pad=padding, ceil_mode=ceil_mode)

    def forward(self, x: Any) -> Any:
        return functional.avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        return _pool_repr(self)


class AdaptiveAvgPool2d(Module):
    """Mean of each of output_size windows: (n, c, h, w) to (n, c, *output_size).

    Window i holds the rows from floor(i h / h_out) to before ceil((i + 1) h / h_out), columns alike, as in
    PyTorch: where h is no multiple of h_out, neighbours overlap.

    Args:
        output_size: one integer, or (height, width). The input itself comes out where it has that size.
    """

    def __init__(self, output_size: Pair) -> None:
        super().__init__()
        pair_of("AdaptiveAvgPool2d", "output_size", output_size)
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return functional.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"{self.output_size}"


def _pool_repr(pool: MaxPool2d | AvgPool2d) -> str:
    text = f"{pool.kernel_size}, stride={pool.stride}"
    return (
        text
        + (f", padding={pool.padding}" if pool.padding else "")
        + (", ceil_mode" if pool.ceil_mode else "")
    )
