"""Layers that join and reshape."""

from __future__ import annotations

from typing import Any

from fastcnn.nn import functional
from fastcnn.nn.module import Module


class Flatten(Module):
    """Axes from `start_dim` on as one: (n, c, h, w) to (n, c h w), in CHW order, so that weights of the
    layers after it are interchangeable with those of other frameworks."""

    def __init__(self, start_dim: int = 1) -> None:
        super().__init__()
        self.start_dim = start_dim

    def forward(self, x: Any) -> Any:
        return functional.flatten(x, self.start_dim)


class Add(Module):
    """a + b, of one shape."""

    def forward(self, a: Any, b: Any) -> Any:
        return functional.add(a, b)


class Concat(Module):
    """Inputs side by side along axis `dim`; the other extents agree."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Any) -> Any:
        return functional.concat(inputs, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
