"""Single convolutions of the networks, as ../../shapes has them; those of shapes/local share no weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

FORWARD = "forward"
BACKWARD_DATA = "backward_data"
BACKWARD_WEIGHTS = "backward_weights"
PASSES = (FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS)

_SHAPES = Path(__file__).parents[2] / "shapes"
_IMAGE_CHANNELS = 4


@dataclass(frozen=True)
class Convolution:
    """x (n, c_in, h, w) and w (c_out, c_in / groups, k_h, k_w), without bias; `local`: such a w at each
    output position."""

    name: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    local: bool = False

    @property
    def y(self) -> tuple[int, ...]:
        """The output's shape."""
        extents = (
            (self.x[2 + i] + 2 * self.padding[i] - self.dilation[i] * (self.w[2 + i] - 1) - 1)
            // self.stride[i]
            + 1
            for i in (0, 1)
        )
        return (self.x[0], self.w[0], *extents)

    @property
    def operations(self) -> int:
        """Of each pass, two per multiply-add."""
        n, _, h, w = self.y
        return 2 * n * h * w * int(np.prod(self.w))

    def with_batch(self, batch_size: int) -> Convolution:
        return replace(self, x=(batch_size, *self.x[1:]))

    @property
    def passes(self) -> tuple[str, ...]:
        """Training asks none for the gradient of an image."""
        first = self.x[1] <= _IMAGE_CHANNELS
        return (FORWARD, BACKWARD_WEIGHTS) if first else PASSES

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, w and the gradient dy, float32, normal; w scaled to keep the variance. Local ones have w as
        fastcnn has it, (h_out, w_out, k_h, k_w, c_in / groups, c_out)."""
        random = np.random.default_rng(0)
        c_out, c_in, *kernel = self.w
        w_shape = (*self.y[2:], *kernel, c_in, c_out) if self.local else self.w
        x, w, dy = (random.standard_normal(shape, np.float32) for shape in (self.x, w_shape, self.y))
        w *= np.prod(self.w[1:]) ** -0.5
        return x, w, dy


@dataclass(frozen=True)
class Pass:
    """One of PASSES of a convolution."""

    convolution: Convolution
    name: str


def networks() -> list[str]:
    return sorted(path.stem for path in _SHAPES.glob("**/*.txt"))


def read(network: str) -> list[Convolution]:
    """The layers that the file lists. The format: ../../cpp/conv2d_layers.h."""
    (path,) = _SHAPES.glob(f"**/{network}.txt")
    lines = (line.partition("#")[0] for line in path.read_text().splitlines())
    layers = [parse(network, line) for line in lines if line.strip()]
    return [replace(layer, local=path.parent.name == "local") for layer in layers]


def parse(network: str, line: str) -> Convolution:
    name, *words = line.split()
    values = dict(word.split("=") for word in words)
    known = {"x", "w", "stride", "pad", "dilation", "groups"}
    if unknown := (values.keys() - known) | ({"x", "w"} - values.keys()):
        raise ValueError(f"{network}/{name}: unknown or missing: {', '.join(sorted(unknown))}")
    return Convolution(
        f"{network}/{name}",
        _extents(values["x"]),
        _extents(values["w"]),
        _pair(values.get("stride", "1")),
        _pair(values.get("pad", "0")),
        _pair(values.get("dilation", "1")),
        int(values.get("groups", "1")),
    )


def _extents(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))


def _pair(text: str) -> tuple[int, int]:
    extents = _extents(text)
    return (extents[0], extents[-1])
