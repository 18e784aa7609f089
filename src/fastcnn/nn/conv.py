"""Convolution."""

from __future__ import annotations

import math
from typing import Any

from fastcnn import _core
from fastcnn.nn import functional, init
from fastcnn.nn.functional import Pair
from fastcnn.nn.module import Module
from fastcnn.nn.parameter import Parameter, check_extents, pair_of


class Conv2d(Module):
    """2-d convolution: (n, in_channels, h, w) to (n, out_channels, h_out, w_out).

    h_out = floor((h + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and w_out likewise. Parameters
    start as PyTorch's: weight and bias uniform within 1 / sqrt(fan_in).

    Args:
        kernel_size, stride, padding, dilation: one integer, or (height, width).
        groups: input and output channels are cut into that many parts, each convolved with its own part only.
        bias: whether a number is added per output channel.

    Attributes:
        weight: (out_channels, in_channels / groups, k_h, k_w).
        bias: (out_channels), or None.

    Raises:
        ValueError: a number out of its range, or channels that groups don't divide.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_extents("Conv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups={groups} doesn't divide in_channels={in_channels} "
                f"and out_channels={out_channels}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair_of("Conv2d", "kernel_size", kernel_size)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        # The core checks the rest.
        _core.make_op("conv2d", stride=stride, pad=padding, dilation=dilation, groups=groups)
        self.weight = Parameter((out_channels, in_channels // groups, *self.kernel_size))
        self.bias = Parameter((out_channels,)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(init.fan_in(self.weight))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        defaults = {"padding": 0, "dilation": 1, "groups": 1}
        text += "".join(f", {k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v)
        return text + (", bias=False" if self.bias is None else "")
