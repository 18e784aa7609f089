"""Convolution, with shared weights and without."""

from __future__ import annotations

import math
from typing import Any

from fastcnn import _core
from fastcnn.engine.parameter import Buffer, Parameter
from fastcnn.nn import functional, init
from fastcnn.nn.connections import random_connections
from fastcnn.nn.module import Module
from fastcnn.nn.options import Pair, check_extents, pair_of


class _Convolution(Module):
    """Options and parameters that the layers of this file have in common."""

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
        filter_channels: int | None = None,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        check_extents(layer, in_channels=in_channels, out_channels=out_channels, groups=groups)
        self.filter_channels = filter_channels or in_channels // groups
        self.connections: Buffer | None = None
        if filter_channels is not None:
            self.connections = Buffer(random_connections(in_channels, groups, filter_channels), "int64")
        if out_channels % groups or (self.connections is None and in_channels % groups):
            raise ValueError(
                f"{layer}: groups={groups} doesn't divide in_channels={in_channels} "
                f"and out_channels={out_channels}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair_of(layer, "kernel_size", kernel_size)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups

    def _output_size(self, input_size: Pair) -> tuple[int, int]:
        """(h_out, w_out) over an input of that size."""
        graph = _core.Graph()
        op = _core.make_op("conv2d", stride=self.stride, pad=self.padding, dilation=self.dilation)
        x = graph.input((1, 1, *pair_of(type(self).__name__, "input_size", input_size)), "float32", "input")
        w = graph.input((1, 1, *self.kernel_size), "float32", "weight")
        _, _, height, width = graph.shape(graph.add(op, [x, w], type(self).__name__))
        return height, width

    def _filtered(self, x: Any) -> Any:
        """The channels that the groups read, one group's behind the other's."""
        return x if self.connections is None else functional.gather_channels(x, self.connections)

    def reset_parameters(self) -> None:
        """Draws new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(init.fan_in(self.weight))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        defaults = {"padding": 0, "dilation": 1, "groups": 1}
        text += "".join(f", {k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v)
        if self.connections is not None:
            text += f", filter_channels={self.filter_channels}"
        return text + (", bias=False" if self.bias is None else "")


class Conv2d(_Convolution):
    """2-d convolution: (n, in_channels, h, w) to (n, out_channels, h_out, w_out).

    h_out = floor((h + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and w_out likewise. Parameters
    start as PyTorch's: weight and bias uniform within 1 / sqrt(fan_in).

    Args:
        kernel_size, stride, padding, dilation: one integer, or (height, width).
        groups: input and output channels are cut into that many parts, each convolved with its own part only.
        bias: whether a number is added per output channel.
        shared_bias: False adds one per output channel and position (cuda-convnet's `sharedBiases=0`).
        input_size: (height, width) of the input, or one integer for both; read where biases are not shared.
        filter_channels: makes connections sparse and random: each group reads so many channels of all, drawn
            by `random_connections` (cuda-convnet's `randSparse`).

    Attributes:
        weight: (out_channels, in_channels / groups, k_h, k_w), or with filter_channels in the second place.
        connections: Buffer of the numbers of the channels that the groups read, (groups · filter_channels) in
            int64, part of the state; None where channels are simply cut into groups.
        bias: (out_channels), or (1, out_channels, h_out, w_out) where it is not shared, or None.

    Raises:
        ValueError: a number out of its range, channels that groups don't divide, or biases that are not
            shared over an input of unknown size.
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
        *,
        shared_bias: bool = True,
        input_size: Pair | None = None,
        filter_channels: int | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, filter_channels
        )
        # The core checks the rest.
        _core.make_op("conv2d", stride=stride, pad=padding, dilation=dilation, groups=groups)
        self.shared_bias = shared_bias
        self.weight = Parameter((out_channels, self.filter_channels, *self.kernel_size))
        self.bias = None
        if bias and shared_bias:
            self.bias = Parameter((out_channels,))
        elif bias:
            if input_size is None:
                raise ValueError("Conv2d: shared_bias=False needs input_size, (height, width) of the input")
            self.bias = Parameter((1, out_channels, *self._output_size(input_size)))
        self.reset_parameters()

    def forward(self, x: Any) -> Any:
        shared = self.bias if self.shared_bias else None
        y = functional.conv2d(
            self._filtered(x), self.weight, shared, self.stride, self.padding, self.dilation, self.groups
        )
        return y if self.bias is shared else functional.untied_bias(y, self.bias)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.shared_bias else ", shared_bias=False")


class LocallyConnected2d(_Convolution):
    """Convolution with filters and biases of its own at each output position: cuda-convnet's `local` layer.

    (n, in_channels, h, w) to (n, out_channels, h_out, w_out), sizes and options as `Conv2d` has them; the
    size of the input is part of the layer. Parameters start as those of `Conv2d`.
    `fastcnn.ops.locally_connected2d` has the formula.

    Args:
        input_size: (height, width) of the input, or one integer for both.
        kernel_size, stride, padding, dilation: one integer, or (height, width).
        groups: input and output channels are cut into that many parts, each convolved with its own part only.
        bias: whether a number is added per output channel and position.
        filter_channels: makes connections sparse and random, as in `Conv2d`.

    Attributes:
        weight: (h_out, w_out, k_h, k_w, filter_channels, out_channels), in_channels / groups in the place of
            filter_channels where these are not given. weight[i, j] is the weight of a `Conv2d` transposed by
            (2, 3, 1, 0). From the matrix of a layer of
            cuda-convnet: `matrix.reshape(h_out, w_out, c, k_h, k_w, c_out).transpose(0, 1, 3, 4, 2, 5)`.
        bias: (1, out_channels, h_out, w_out), or None. From cuda-convnet: `biases.reshape(bias.shape)`.

        connections: as in `Conv2d`.

    Raises:
        ValueError: a number out of its range, channels that groups don't divide, a kernel larger than the
            input.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        input_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        filter_channels: int | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, filter_channels
        )
        self.input_size = pair_of("LocallyConnected2d", "input_size", input_size)
        positions = self._output_size(self.input_size)
        self.weight = Parameter((*positions, *self.kernel_size, self.filter_channels, out_channels))
        self.bias = Parameter((1, out_channels, *positions)) if bias else None
        self.reset_parameters()

    def forward(self, x: Any) -> Any:
        return functional.locally_connected2d(
            self._filtered(x), self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        return super().extra_repr() + f", input_size={self.input_size}"


class ConvTranspose2d(_Convolution):
    """The transpose of a convolution: (n, in_channels, h, w) to (n, out_channels, h_out, w_out).

    h_out = (h - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding, and w_out likewise.
    Definition, names, layout and initial values are PyTorch's. `fastcnn.ops.conv_transpose2d` has the
    formula.

    Args:
        kernel_size, stride, padding, dilation: of the convolution that this is the transpose of; one integer,
            or (height, width).
        output_padding: more rows and columns at the end of the output, fewer than the larger of stride and
            dilation.
        groups: input and output channels are cut into that many parts, each going to its own part only.
        bias: whether a number is added per output channel.

    Attributes:
        weight: (in_channels, out_channels / groups, k_h, k_w).
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
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self.output_padding = output_padding
        # The core checks the rest.
        _core.make_op(
            "conv_transpose2d",
            stride=stride,
            pad=padding,
            output_pad=output_padding,
            dilation=dilation,
            groups=groups,
        )
        self.weight = Parameter((in_channels, out_channels // groups, *self.kernel_size))
        self.bias = Parameter((out_channels,)) if bias else None
        self.reset_parameters()

    def forward(self, x: Any) -> Any:
        return functional.conv_transpose2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    def extra_repr(self) -> str:
        padded = self.output_padding not in (0, (0, 0))
        return super().extra_repr() + (f", output_padding={self.output_padding}" if padded else "")
