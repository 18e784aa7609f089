"""Pooling."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module
from fastcnn.nn.options import Pair, pair_of, pool2d_op, pool_channels_op


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
        return_indices: also returns the place of each largest element in its image, row w + column, int64 of
            the output's shape: a tuple (y, indices).

    Raises:
        ValueError: a window could lie outside of the image, or start and padding are both given.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        *,
        start: Pair | None = None,
        output_size: Pair | None = None,
        return_indices: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, start=start, output_size=output_size)
        self.return_indices = return_indices

    def forward(self, x: Any) -> Any:
        return functional.max_pool2d(x, **self._windows(), return_indices=self.return_indices)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", return_indices" if self.return_indices else "")


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


class StochasticPool2d(_Pool2d):
    """One element of each window in training, drawn with a probability in proportion to it; else their mean.

    Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks" (2013):
    element i of a window is drawn with p_i = x_i / (sum of x) and takes the gradient; in eval mode y = sum of
    p_i x_i. It is meant to follow a ReLU: elements that are not positive have p_i = 0, and where none is
    positive y = 0 and no gradient goes back. Draws follow from `fastcnn.manual_seed` and the number of random
    forward passes since, not from threads.

    Args: MaxPool2d's.
    """

    def forward(self, x: Any) -> Any:
        return functional.stochastic_pool2d(x, **self._windows(), training=self.training)


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


class _PoolChannels(Module):
    """Windows that slide over channels, and what the subclass does with them."""

    def __init__(
        self,
        size: int,
        stride: int | None = None,
        *,
        start: int = 0,
        output_size: int | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.size = size
        self.stride = size if stride is None else stride
        self.start = start
        self.output_size = output_size
        self.ceil_mode = ceil_mode
        pool_channels_op("max", **self._windows())  # checks them

    def _windows(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("size", "stride", "start", "output_size", "ceil_mode")}

    def extra_repr(self) -> str:
        return (
            f"{self.size}, stride={self.stride}"
            + (f", start={self.start}" if self.start else "")
            + (f", output_size={self.output_size}" if self.output_size is not None else "")
            + (", ceil_mode" if self.ceil_mode else "")
        )


class MaxPoolChannels(_PoolChannels):
    """Largest of `size` neighbouring channels: (n, c, h, w) or (n, c) to the same with c_out channels.

    y[:, o] = max of x[:, start + o stride + i], 0 <= i < size. MaxPoolChannels(k) is maxout of k pieces
    (Goodfellow et al., "Maxout networks", 2013); with start <= 0 and output_size it is cuda-convnet2's
    `cmpool`. The gradient goes to the first of equal channels.

    Args:
        stride: size when left out.
        start: the channel where the first window begins; windows are clipped to the channels there are.
        output_size: c_out; when left out, floor((c - start - size) / stride) + 1, rounded up with ceil_mode.

    Raises:
        ValueError: a size, stride or output_size below 1, a start that leaves the first window outside.
    """

    def forward(self, x: Any) -> Any:
        return functional.max_pool_channels(x, **self._windows())


class AvgPoolChannels(_PoolChannels):
    """Mean of `size` neighbouring channels, of as many as there are.

    Args: MaxPoolChannels'.
    """

    def forward(self, x: Any) -> Any:
        return functional.avg_pool_channels(x, **self._windows())


class GaussianBlur(Module):
    """Each channel convolved with a Gaussian, (n, c, h, w) to the same: cuda-convnet's layer `blur`.

    f(i) = exp(-i² / (2 sigma²)) / sum, |i| <= kernel_size / 2, along both axes; the image is 0 beyond its
    sides.

    Args:
        kernel_size: taps along each axis, an odd number.
        sigma: the standard deviation in pixels, `stdev` in cuda-convnet.
    """

    def __init__(self, kernel_size: int, sigma: float) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.sigma = sigma
        _core.make_op("gaussian_blur", size=kernel_size, sigma=sigma)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.gaussian_blur(x, self.kernel_size, self.sigma)

    def extra_repr(self) -> str:
        return f"{self.kernel_size}, sigma={self.sigma}"


class Nailbed(Module):
    """One pixel of each stride x stride, (n, c, h, w) to (n, c, h_out, w_out): cuda-convnet's `nailbed`.

    Args:
        stride: one integer, or (height, width).
        start: the first pixel, alike; when left out, the grid of ceil(h / stride) rows lies in the middle:
            floor((h - stride (ceil(h / stride) - 1)) / 2), columns alike.
    """

    def __init__(self, stride: Pair, start: Pair | None = None) -> None:
        super().__init__()
        self.stride = pair_of("Nailbed", "stride", stride)
        self.start = start

    def forward(self, x: Any) -> Any:
        return functional.nailbed(x, self.stride, self.start)

    def extra_repr(self) -> str:
        return f"stride={self.stride}" + (f", start={self.start}" if self.start is not None else "")
