"""Which channels of its input a layer reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn._arrays import Array
from fastcnn.engine.parameter import Buffer, Parameter
from fastcnn.nn import functional, init
from fastcnn.nn.module import Module
from fastcnn.nn.options import check_extents


class GatherChannels(Module):
    """x[:, index]: channels of (n, c) or (n, c, h, w) in any order, perhaps several times or not at all.

    Args:
        index: integers (m), numbers of channels; those that x doesn't have raise ValueError when it comes.

    Attributes:
        index: Buffer (m) of int64, part of the state.
    """

    def __init__(self, index: Any) -> None:
        super().__init__()
        self.index = Buffer(index, "int64")
        if len(self.index.shape) != 1:
            raise ValueError(f"GatherChannels: index has shape {self.index.shape}, expected numbers in a row")

    def forward(self, x: Any) -> Any:
        return functional.gather_channels(x, self.index)

    def extra_repr(self) -> str:
        return f"{self.index.size} channels"


def random_connections(channels: int, groups: int, filter_channels: int) -> Array:
    """Which input channels each group of filters reads, drawn as cuda-convnet draws them for `randSparse`.

    The numbers 0 to channels - 1 in random orders, one behind the other, as many times as it takes: a group
    reads filter_channels of them that differ, and every channel is read equally often. Follows from
    `fastcnn.manual_seed`.

    Returns:
        int64 (groups · filter_channels), group by group.

    Raises:
        ValueError: filter_channels doesn't divide channels, or channels not groups · filter_channels.
    """
    check_extents("random_connections", channels=channels, groups=groups, filter_channels=filter_channels)
    times, rest = divmod(groups * filter_channels, channels)
    if rest or channels % filter_channels:
        raise ValueError(
            f"random_connections: filter_channels={filter_channels} doesn't divide {channels} channels, or "
            f"these not the {groups * filter_channels} that {groups} groups read"
        )
    draws = init.uniform_(Parameter((times, channels), "float64"))
    return np.argsort(draws.value, axis=1, kind="stable").reshape(-1)
