"""Pooling."""

from __future__ import annotations

from typing import Any

from fastcnn.nn import functional
from fastcnn.nn.functional import Pair
from fastcnn.nn.module import Module
from fastcnn.nn.parameter import pair_of
from fastcnn.ops.pooling import pool2d_op


class _Pool2d(Module):
    """Windows that slide over an image, and what the subclass does with them."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        *,
        start: Pair | None = None,
        output_size: Pair | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.start = start
        self.output_size = output_size
        pool2d_op("max_pool2d", **self._windows())  # checks them

    def _windows(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "start", "output_size")
        return {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        return (
            f"{self.kernel_size}, stride={self.stride}"
            + (f", padding={self.padding}" if self.padding else "")
            + (f", start={self.start}" if self.start is not None else "")
            + (f", output_size={self.output_size}" if self.output_size is not None else "")
            + (", ceil_mode" if self.ceil_mode else "")
        )


class MaxPool2d(_Pool2d):
    """Largest element of each window: (n, c, h, w) to (n, c, h_out, w_out).

    h_out = floor((h + 2 padding - kernel) / stride) + 1; with `ceil_mode` rounded up, without windows that
    start outside the image and its left padding (as PyTorch has it; Caffe's and cuda-convnet's pools round
    up). The gradient goes to the first of equal elements, as PyTorch's; cuda-convnet's goes to all of them.

    Args:
        kernel_size, padding: one integer, or (height, width).
        stride: the same; kernel_size when left out. Windows overlap where it is smaller.
        start: where the first window begins, instead of padding: a negative number lies outside of the image,
            a positive one leaves out its first pixels. With ceil_mode, h_out = ceil((h - start - kernel) /
            stride) + 1: cuda-convnet's `start` and size.
        output_size: how many windows there are instead of as many as fit, clipped at the far sides:
            cuda-convnet's `outputsX`, where it is not 0. One integer, or (height, width).

    Raises:
        ValueError: a window could lie outside of the image, or start and padding are both given.
    """

    def forward(self, x: Any) -> Any:
        return functional.max_pool2d(x, **self._windows())


class MaxAbsPool2d(_Pool2d):
    """Element of the largest magnitude of each window, with its sign (cuda-convnet2's `pool=maxabs`).

    Args: MaxPool2d's.
    """

    def forward(self, x: Any) -> Any:
        return functional.max_abs_pool2d(x, **self._windows())


class AvgPool2d(_Pool2d):
    """Mean of each window: (n, c, h, w) to (n, c, h_out, w_out), of the same size as MaxPool2d's.

    Args:
        count_include_pad: divides by the window's whole size, less what ceil_mode or output_size add beyond
            the padding; False: by that of its part in the image, as cuda-convnet does.
        The others are MaxPool2d's.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        start: Pair | None = None,
        output_size: Pair | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, start=start, output_size=output_size)
        self.count_include_pad = count_include_pad

    def forward(self, x: Any) -> Any:
        return functional.avg_pool2d(x, **self._windows(), count_include_pad=self.count_include_pad)


class SumPool2d(_Pool2d):
    """Sum of each window (cuda-convnet2's `pool=avg` with `sum`).

    Args: MaxPool2d's.
    """

    def forward(self, x: Any) -> Any:
        return functional.sum_pool2d(x, **self._windows())


class AdaptiveAvgPool2d(Module):
    """Mean of each of output_size windows: (n, c, h, w) to (n, c, *output_size).

    Window i holds the rows from floor(i h / h_out) to before ceil((i + 1) h / h_out), columns alike, as in
    PyTorch: where h is no multiple of h_out, neighbours overlap. AdaptiveAvgPool2d(1) is the global average.

    Args:
        output_size: one integer, or (height, width). The input itself comes out where it has that size.
    """

    def __init__(self, output_size: Pair) -> None:
        super().__init__()
        pair_of(type(self).__name__, "output_size", output_size)
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return functional.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"{self.output_size}"


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """Largest element of each of the windows of AdaptiveAvgPool2d."""

    def forward(self, x: Any) -> Any:
        return functional.adaptive_max_pool2d(x, self.output_size)
