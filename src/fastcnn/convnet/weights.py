"""Layers with weights: fc, fcdropo, sfc, conv, local.

Weights start normal with standard deviation initW, biases as initB. A layer of several inputs has weights for
each; their products are added, and the bias once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from fastcnn import nn
from fastcnn.convnet.layer import Built, Image, Layer, Shape, Weighted
from fastcnn.convnet.updates import read_updates
from fastcnn.nn import functional

_WEIGHT_SOURCE = re.compile(r"([^\s\[]+)\s*(?:\[(\d+)\])?$")


class Sum(nn.Module):
    """Layers "0", "1", ..., each with an input of its own; their outputs are added."""

    def __init__(self, parts: list[Weighted]) -> None:
        super().__init__()
        for i, part in enumerate(parts):
            setattr(self, str(i), part)

    def forward(self, *inputs: Any) -> Any:
        total, *rest = (part(x) for part, x in zip(self.children(), inputs, strict=True))
        for value in rest:
            total = functional.add(total, value)
        return total


class DroppedLinear(nn.Linear):
    """A linear layer whose outputs are zero with probability `rate` in training, and times 1 - rate else."""

    def __init__(self, inputs: int, outputs: int, rate: float) -> None:
        super().__init__(inputs, outputs)
        self.rate = rate

    def forward(self, x: Any) -> Any:
        return functional.dropout(super().forward(x), self.rate, self.training, scaling="inference")


class SplitLinear(nn.Conv2d):
    """`groups` linear layers side by side, each of its part of the inputs: a grouped 1x1 convolution."""


def fc(layer: Layer) -> Built:
    """outputs numbers, each a weighted sum of all inputs."""
    outputs = layer.section.integer("outputs", least=1)
    reads: list[Shape] = [(layer.count(i),) for i in range(len(layer.inputs))]
    parts: list[Weighted] = [nn.Linear(count, outputs, bias=i == 0) for i, (count,) in enumerate(reads)]
    return _weighted(layer, parts, reads, (outputs,))


def fcdropo(layer: Layer) -> Built:
    """As fc, with dropout of its outputs before the neuron: a layer of the DropConnect that Li Wan added."""
    layer.only_input()
    outputs = layer.section.integer("outputs", least=1)
    rate = layer.section.real("rate", least=0.0)
    if not rate < 1:
        raise layer.error(f"rate is {rate}, expected below 1", "rate")
    count = layer.count()
    return _weighted(layer, [DroppedLinear(count, outputs, rate)], [(count,)], (outputs,))


def sfc(layer: Layer) -> Built:
    """`parts` fully connected layers of `outputs` numbers each, every one of its part of the inputs."""
    parts = layer.section.integer("parts", least=1)
    outputs = parts * layer.section.integer("outputs", least=1)
    counts = [layer.count(i) for i in range(len(layer.inputs))]
    if any(count % parts for count in counts):
        raise layer.error(f"parts is {parts}, doesn't divide inputs of {counts} numbers", "parts")
    layers: list[Weighted] = [
        SplitLinear(count, outputs, 1, groups=parts, bias=i == 0) for i, count in enumerate(counts)
    ]
    return _weighted(layer, layers, [(count, 1, 1) for count in counts], (outputs, 1, 1))


def conv(layer: Layer) -> Built:
    """`filters` filters in each of `groups` groups, at every place."""
    shared = layer.section.flag("sharedBiases", True)
    layer.section.ignore("partialSum", "sumWidth")  # cuda-convnet's cut of the sum for weight gradients
    for key in ("wcNormMin", "wcNormMax"):
        if any(layer.params.reals(key, len(layer.inputs), 0.0)):
            raise layer.params.error(f"{key} is not supported", key)

    def make(geometry: Geometry, bias: bool) -> nn.Conv2d:
        return nn.Conv2d(
            geometry.image.channels,
            geometry.filters,
            geometry.size,
            geometry.stride,
            geometry.inner_padding,
            groups=geometry.groups,
            filter_channels=geometry.filter_channels,
            bias=bias,
            shared_bias=shared,
            input_size=geometry.padded_size,
        )

    return _over_images(layer, make)


def local(layer: Layer) -> Built:
    """As conv, with filters and biases of its own at every place."""
    layer.section.ignore("sharedBiases", "partialSum", "sumWidth")

    def make(geometry: Geometry, bias: bool) -> nn.LocallyConnected2d:
        return nn.LocallyConnected2d(
            geometry.image.channels,
            geometry.filters,
            geometry.size,
            geometry.padded_size,
            geometry.stride,
            geometry.inner_padding,
            groups=geometry.groups,
            filter_channels=geometry.filter_channels,
            bias=bias,
        )

    return _over_images(layer, make)


class Geometry:
    """Windows of one input: as many as cover the padded image, so their number is rounded up.

    Attributes:
        modules: windows along a side, 1 + ceil((2 padding + size of the image - filterSize) / stride).
        pads: zeros before and after the image that the layer itself doesn't add.
        inner_padding: zeros on either side that it does.
        filter_channels: how many channels each group reads of all, chosen at random; None: its own part.
    """

    def __init__(self, image: Image, size: int, stride: int, padding: int, modules: int) -> None:
        self.image = image
        self.size = size
        self.stride = stride
        span = 2 * padding + image.height
        self.modules = modules or 1 + math.ceil((span - size) / stride)
        excess = (self.modules - 1) * stride + size - span
        self.pads = (padding, padding + excess) if excess else (0, 0)
        self.inner_padding = 0 if excess else padding
        self.padded_size = image.height + sum(self.pads)
        self.groups = 1
        self.filters = 0
        self.filter_channels: int | None = None


def _over_images(layer: Layer, make: Callable[[Geometry, bool], Weighted]) -> Built:
    geometries = _geometries(layer)
    first = geometries[0]
    try:
        parts = [make(geometry, i == 0) for i, geometry in enumerate(geometries)]
    except ValueError as error:
        raise layer.error(str(error)) from error
    built = _weighted(
        layer,
        parts,
        [geometry.image for geometry in geometries],
        Image(first.filters, first.modules, first.modules),
    )
    if any(any(geometry.pads) for geometry in geometries):
        built.pads = [geometry.pads for geometry in geometries]
    return built


def _geometries(layer: Layer) -> list[Geometry]:
    section, count = layer.section, len(layer.inputs)
    channels = section.integers("channels", count, least=1)
    sizes = section.integers("filterSize", count, least=1)
    paddings = section.integers("padding", count, 0, least=0)
    strides = section.integers("stride", count, 1, least=1)
    groups = section.integers("groups", count, 1, least=1)
    filters = section.integers("filters", count, least=1)
    modules = section.integer("modulesX", 0, least=0)
    sparse = section.flags("randSparse", count, False)
    some = section.integers("filterChannels", count, 0, least=0)
    _refuse_functions(layer, "initCFunc")
    geometries = []
    for i in range(count):
        image = layer.image(channels[i], i)
        if sizes[i] > image.height + 2 * paddings[i]:
            raise layer.error(
                f"filterSize is {sizes[i]}, more than {image.height} pixels and padding on both sides",
                "filterSize",
            )
        geometry = Geometry(image, sizes[i], strides[i], paddings[i], modules)
        if geometry.pads[1] < 0:
            raise layer.error(
                f"modulesX is {modules}: the windows don't cover images of {image.height} pixels", "modulesX"
            )
        geometry.groups = groups[i]
        geometry.filters = filters[i] * groups[i]
        if channels[i] % groups[i]:
            raise layer.error(f"groups is {groups[i]}, doesn't divide {channels[i]} channels", "groups")
        if sparse[i]:
            geometry.filter_channels = some[i] or channels[i] // groups[i]
        geometries.append(geometry)
    outputs = [f"{g.filters}x{g.modules}x{g.modules}" for g in geometries]
    if len(set(outputs)) > 1:
        raise layer.error(f"the inputs give outputs of different shapes: {', '.join(outputs)}", "inputs")
    return geometries


def _weighted(layer: Layer, parts: list[Weighted], reads: list[Shape], shape: Shape) -> Built:
    """Starts the parameters, shares those of `weightSource`, and reads how they are trained."""
    _refuse_functions(layer, "initWFunc", "initBFunc")
    deviations = layer.section.reals("initW", len(parts), 0.01, least=0.0)
    bias = parts[0].bias
    assert bias is not None
    nn.init.constant_(bias, layer.section.real("initB", 0.0))
    sources = _sources(layer, len(parts))
    for i, (part, deviation, source) in enumerate(zip(parts, deviations, sources, strict=True)):
        if source is None:
            nn.init.normal_(part.weight, std=deviation)
        else:
            _share(layer, part, source, parts[:i])
    weights = [part.weight for part in parts]
    above = [update for built in layer.built.values() for update in built.updates]
    updates = read_updates(layer.params, weights, [source is None for source in sources], bias, above)
    if layer.kind in ("sfc", "local") and any(update.settings["filter_norm"] for update in updates):
        raise layer.params.error(f"wball is not supported for layers of type {layer.kind}", "wball")
    module = parts[0] if len(parts) == 1 else Sum(parts)
    return Built(module, reads, shape, parts=parts, updates=updates)


def _sources(layer: Layer, count: int) -> list[tuple[str, int] | None]:
    """For each input, the layer and index that weightSource takes its weights from."""
    texts = layer.section.words("weightSource", "," * (count - 1))
    if len(texts) != count:
        raise layer.error(f"weightSource has {len(texts)} values for {count} inputs", "weightSource")
    found: list[tuple[str, int] | None] = []
    for text in texts:
        match = _WEIGHT_SOURCE.match(text)
        if text and not match:
            raise layer.error(f"weightSource is {text!r}, expected layer or layer[index]", "weightSource")
        found.append((match[1], int(match[2] or 0)) if match else None)
    return found


def _share(layer: Layer, part: Weighted, source: tuple[str, int], own: list[Weighted]) -> None:
    """Gives `part` the weights that `source` names, and the connections that belong to them."""
    name, index = source
    above = layer.built[name].parts if name in layer.built else []
    parts = own if name == layer.name else above
    if index >= len(parts):
        raise layer.error(f"weightSource: there are no weights {name}[{index}] above", "weightSource")
    other = parts[index]
    if other.weight.shape != part.weight.shape:
        raise layer.error(
            f"weightSource: {name}[{index}] has shape {other.weight.shape}, expected {part.weight.shape}",
            "weightSource",
        )
    part.weight = other.weight
    if not isinstance(part, nn.Linear) and not isinstance(other, nn.Linear):
        if (part.connections is None) != (other.connections is None):
            raise layer.error(f"weightSource: randSparse of {name}[{index}] is another", "weightSource")
        part.connections = other.connections


def _refuse_functions(layer: Layer, *keys: str) -> None:
    """initWFunc and the like name a Python function, which fastcnn does not run from a configuration file."""
    for key in keys:
        if layer.section.text(key, ""):
            raise layer.error(
                f"{key} runs Python code, which fastcnn refuses; set the parameters after loading",
                key,
            )
