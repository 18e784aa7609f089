"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import _core
from fastcnn.engine.parameter import Buffer, Parameter
from fastcnn.nn import functional
from fastcnn.nn.module import Module
from fastcnn.nn.options import check_extents, shape_of


class _ResponseNorm(Module):
    """What is divided by a power of sums of squares, and its settings."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        _core.make_op("spatial_norm", size=size, alpha=alpha, beta=beta, k=k)  # checks them
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class LocalResponseNorm(_ResponseNorm):
    """x / (k + alpha / size · s)^beta, where s sums x² over `size` neighbouring maps at the same place.

    Definition and defaults are PyTorch's and Caffe's. Krizhevsky, Sutskever and Hinton (2012), section 3.3,
    don't divide alpha by size: their alpha=1e-4 with size=5 is alpha=5e-4 here. cuda-convnet's cmrnorm has
    the same windows and divides its `scale` likewise; `pow` is beta, `minDiv` (else 1) is k.

    Args:
        blocked: s sums over the block of `size` maps that holds this one, [0, size), [size, 2 size), ...,
            instead of those from size // 2 before it to (size - 1) // 2 behind it.

    Raises:
        ValueError: size is below 1.
    """

    def __init__(
        self,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        blocked: bool = False,
    ) -> None:
        super().__init__(size, alpha, beta, k)
        self.blocked = blocked

    def forward(self, x: Any) -> Any:
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k, self.blocked)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", blocked=True" if self.blocked else "")


class SpatialResponseNorm(_ResponseNorm):
    """x / (k + alpha / size² · s)^beta, where s sums x² over size × size pixels around each in its own map.

    cuda-convnet's rnorm: alpha is its `scale`, beta its `pow`, k its `minDiv` (1 where there is none).
    Windows reach size // 2 pixels up and left, (size - 1) // 2 down and right, and end with the image; alpha
    is divided by size² there, too.

    Raises:
        ValueError: size is below 1.
    """

    def forward(self, x: Any) -> Any:
        return functional.spatial_response_norm(x, self.size, self.alpha, self.beta, self.k)


class ContrastNorm(_ResponseNorm):
    """x / (k + alpha / size² · s)^beta, where s sums (x - m)² over size × size pixels of the same map.

    cuda-convnet's cnorm, with the windows and names of SpatialResponseNorm. m is the mean of the window
    around each pixel, over what of it lies in the image. The numerator is x itself, as there; and the
    gradient is that of the definition, while cuda-convnet takes m for a constant.

    Raises:
        ValueError: size is below 1.
    """

    def forward(self, x: Any) -> Any:
        return functional.contrast_norm(x, self.size, self.alpha, self.beta, self.k)


class BatchNorm2d(Module):
    """weight (x - mean) / sqrt(variance + eps) + bias for each channel of (n, c, h, w).

    Ioffe and Szegedy, "Batch normalization" (2015). In training, mean and variance are those of the channel
    in the batch, and the running ones move towards them: r = (1 - momentum) r + momentum b, with the unbiased
    variance as b. In inference mode the running ones are used. Definition and names are PyTorch's.

    Args:
        momentum: how far running statistics move; PyTorch's None, a cumulative average, is not there.
        affine: without it there are no weight and bias.
        track_running_stats: without it the batch's statistics are used in inference mode, too.

    Attributes:
        weight, bias: Parameters (num_features), or None; start as ones and zeros.
        running_mean, running_var: Buffers (num_features), or None; start as zeros and ones.
        num_batches_tracked: Buffer (), how often they moved, or None.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        check_extents(type(self).__name__, num_features=num_features)
        if momentum is None:
            raise ValueError(f"{type(self).__name__}: momentum is None, expected a number from 0 to 1")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter((num_features,)) if affine else None
        self.bias = Parameter((num_features,)) if affine else None
        self.running_mean = Buffer((num_features,)) if track_running_stats else None
        self.running_var = Buffer((num_features,)) if track_running_stats else None
        self.num_batches_tracked = Buffer((), "int64") if track_running_stats else None
        _core.make_op("batch_norm", eps=eps, momentum=momentum)  # checks them
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, nothing counted."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.value[...] = 0
            self.running_var.value[...] = 1
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.value[...] = 0

    def reset_parameters(self) -> None:
        """The values at the start."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            self.weight.value[...] = 1
            self.bias.value[...] = 0

    def forward(self, x: Any) -> Any:
        if self.training and self.num_batches_tracked is not None:
            x._tracer.counters.append(self.num_batches_tracked)
        return functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(BatchNorm2d):
    """BatchNorm2d of rows: (n, c)."""


class GroupNorm(Module):
    """weight (x - mean) / sqrt(variance + eps) + bias for (n, c, h, w) or (n, c), by groups of channels.

    Wu and He, "Group normalization" (2018). Mean and biased variance are those of num_channels / num_groups
    neighbouring channels of a sample, over all pixels, in training and inference. Definition and names are
    PyTorch's.

    Attributes:
        weight, bias: Parameters (num_channels), or None without affine; start as ones and zeros.

    Raises:
        ValueError: num_groups doesn't divide num_channels, or a number is out of its range.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        check_extents("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} doesn't divide num_channels={num_channels}")
        _core.make_op("group_norm", groups=num_groups, eps=eps)  # checks eps
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = Parameter(np.ones(num_channels, "float32")) if affine else None
        self.bias = Parameter((num_channels,)) if affine else None

    def forward(self, x: Any) -> Any:
        return functional.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(Module):
    """weight (x - mean) / sqrt(variance + eps) + bias over the last axes of x.

    Ba, Kiros and Hinton, "Layer normalization" (2016). Mean and biased variance are those of one sample, in
    training and inference. Definition and names are PyTorch's. Images (n, c, h, w) normalised over (h, w) or
    (w) alone are copied first and last, as they are stored by pixel.

    Args:
        normalized_shape: the extents of those axes, or the one of the last.
        elementwise_affine: without it there are no weight and bias.
        bias: without it there is no bias.

    Attributes:
        weight, bias: Parameters of normalized_shape, or None; start as ones and zeros.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = shape_of("LayerNorm", normalized_shape)
        _core.make_op("layer_norm", shape=self.normalized_shape, eps=eps)  # checks eps
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        ones = np.ones(self.normalized_shape, "float32")
        self.weight = Parameter(ones) if elementwise_affine else None
        self.bias = Parameter(self.normalized_shape) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Any:
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
