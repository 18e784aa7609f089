"""Normalisation."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module
from fastcnn.nn.parameter import Buffer, Parameter, check_extents


class LocalResponseNorm(Module):
    """x / (k + alpha / size · s)^beta, where s sums x² over `size` neighbouring maps at the same place.

    Definition and defaults are PyTorch's and Caffe's. Krizhevsky, Sutskever and Hinton (2012), section 3.3,
    don't divide alpha by size: their alpha=1e-4 with size=5 is alpha=5e-4 here.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k
        _core.make_op("local_response_norm", size=size, alpha=alpha, beta=beta, k=k)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


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
