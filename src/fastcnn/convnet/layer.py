"""A layer between the file and the model: what its builder is given, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from fastcnn import nn
from fastcnn.convnet.cfg import ConfigError, Section
from fastcnn.convnet.updates import Update

Weighted: TypeAlias = nn.Linear | nn.Conv2d | nn.LocallyConnected2d
Shape = tuple[int, ...]  # of one sample: (channels, height, width), or (numbers,)


class Image(NamedTuple):
    """The shape of square images."""

    channels: int
    height: int
    width: int


@dataclass
class Built:
    """A layer of the model.

    Attributes:
        module: reads one value per input.
        reads: the shape in which it reads each; what comes in another shape is read in (c, h, w) order.
        shape: of its output.
        pads: for each input, rows (and columns) of zeros that are added before and after it; empty for none.
        parts: for each input the module with its weights, where this layer has weights.
        updates: how its parameters are trained.
    """

    module: nn.Module
    reads: list[Shape]
    shape: Shape
    pads: list[tuple[int, int]] = field(default_factory=list)
    parts: list[Weighted] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)


@dataclass
class Source:
    """An input of a layer: a layer above it in the file.

    Attributes:
        kind: its type.
        value: the name of its output in the model, that of its neuron where it has one.
        below: the value from which `function` made it; "" of data.
        function: its neuron, such as "logistic", or its type.
        data_index: dataIdx of data.
    """

    name: str
    kind: str
    shape: Shape
    value: str
    below: str = ""
    function: str = ""
    data_index: int | None = None


@dataclass
class Layer:
    """A layer as its builder reads it.

    Attributes:
        section: of the layer file.
        params: of the parameter file; empty, of line 0, where that has none for this layer.
        inputs: in the order of the file.
        built: the layers above it by name, to share weights with.
    """

    kind: str
    section: Section
    params: Section
    inputs: list[Source]
    built: dict[str, Built]

    @property
    def name(self) -> str:
        return self.section.name

    def error(self, message: str, key: str | None = None) -> ConfigError:
        return self.section.error(message, key)

    def count(self, index: int = 0) -> int:
        """How many numbers an input is."""
        return math.prod(self.inputs[index].shape)

    def expect_inputs(self, count: int) -> None:
        if len(self.inputs) != count:
            raise self.error(f"{self.kind} has {len(self.inputs)} inputs, expected {count}", "inputs")

    def only_input(self) -> Source:
        self.expect_inputs(1)
        return self.inputs[0]

    def image(self, channels: int, index: int = 0) -> Image:
        """An input as square images of so many channels; ConfigError where its numbers don't make them."""
        numbers = self.count(index)
        size = math.isqrt(numbers // channels)
        if channels * size * size != numbers:
            source = self.inputs[index]
            shape = "x".join(map(str, source.shape))
            raise self.error(f"{source.name} is {shape}, no square images of {channels} channels", "channels")
        return Image(channels, size, size)

    def only_image(self) -> Image:
        """The one input as images of `channels`."""
        self.only_input()
        return self.image(self.section.integer("channels", least=1))


Builder = Callable[[Layer], Built]


def elementwise(layer: Layer, module: nn.Module) -> Built:
    """A layer whose output is shaped as its one input."""
    shape = layer.only_input().shape
    return Built(module, [shape], shape)
