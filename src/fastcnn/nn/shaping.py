"""Layers that join, cut and reshape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _core
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


class Reshape(Module):
    """The same elements in logical (CHW) order under another shape: Reshape(-1, 16, 5, 5). One extent, such
    as that of the batch, may be -1."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape
        _core.make_op("reshape", shape=shape)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.reshape(x, self.shape)

    def extra_repr(self) -> str:
        return ", ".join(str(extent) for extent in self.shape)


class PixelShuffle(Module):
    """Channels to pixels: (n, c r², h, w) to (n, c, h r, w r); see functional.pixel_shuffle."""

    def __init__(self, upscale_factor: int, order: str = "crd") -> None:
        super().__init__()
        self.upscale_factor, self.order = upscale_factor, order
        _core.make_op("pixel_shuffle", factor=upscale_factor, order=order)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.pixel_shuffle(x, self.upscale_factor, self.order)

    def extra_repr(self) -> str:
        return f"{self.upscale_factor}, order={self.order}"


class PixelUnshuffle(Module):
    """Pixels to channels: (n, c, h r, w r) to (n, c r², h, w); the inverse of PixelShuffle."""

    def __init__(self, downscale_factor: int, order: str = "crd") -> None:
        super().__init__()
        self.downscale_factor, self.order = downscale_factor, order
        _core.make_op("pixel_shuffle", factor=downscale_factor, order=order, inverse=True)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.pixel_unshuffle(x, self.downscale_factor, self.order)

    def extra_repr(self) -> str:
        return f"{self.downscale_factor}, order={self.order}"


class Add(Module):
    """Sum of inputs of one shape, each times its coefficient where there are any: cuda-convnet's eltsum.

    Args:
        coefficients: as many as inputs, or None for 1.
    """

    def __init__(self, coefficients: Sequence[float] | None = None) -> None:
        super().__init__()
        self.coefficients = None if coefficients is None else tuple(coefficients)
        if self.coefficients is not None:
            _core.make_op("add", coefficients=self.coefficients)  # checks them

    def forward(self, *inputs: Any) -> Any:
        return functional.add(*inputs, coefficients=self.coefficients)

    def extra_repr(self) -> str:
        return "" if self.coefficients is None else f"coefficients={self.coefficients}"


class Maximum(Module):
    """Largest of the inputs, of one shape, by element: cuda-convnet's eltmax. The gradient goes to the first
    input that holds it."""

    def forward(self, *inputs: Any) -> Any:
        return functional.maximum(*inputs)


class Multiply(Module):
    """Product of the inputs, of one shape, by element."""

    def forward(self, *inputs: Any) -> Any:
        return functional.multiply(*inputs)


class Concat(Module):
    """Inputs side by side along axis `dim`; the other extents agree."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Any) -> Any:
        return functional.concat(inputs, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Slice(Module):
    """Elements [start, stop) of axis `dim`, by default of the channels."""

    def __init__(self, start: int, stop: int, dim: int = 1) -> None:
        super().__init__()
        self.start = start
        self.stop = stop
        self.dim = dim
        _core.make_op("slice", start=start, stop=stop, axis=dim)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.narrow(x, self.dim, self.start, self.stop - self.start)

    def extra_repr(self) -> str:
        return f"{self.start}, {self.stop}, dim={self.dim}"


class Split(Module):
    """Parts of axis `dim`, by default of the channels, as a tuple.

    Args:
        split_size_or_sections: the size of all parts but a smaller last one, or the sizes of the parts.
    """

    def __init__(self, split_size_or_sections: int | Sequence[int], dim: int = 1) -> None:
        super().__init__()
        self.split_size_or_sections = split_size_or_sections
        self.dim = dim

    def forward(self, x: Any) -> Any:
        return functional.split(x, self.split_size_or_sections, self.dim)

    def extra_repr(self) -> str:
        return f"{self.split_size_or_sections}, dim={self.dim}"
