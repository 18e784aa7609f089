"""Layers of a network with their output shapes, parameters and multiply-adds."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from fastcnn.engine.symbol import Argument
from fastcnn.engine.tracer import Scope, graph_of
from fastcnn.nn.module import Module

_WEIGHTED = ("conv2d", "conv_transpose2d", "linear", "locally_connected2d")


@dataclass(frozen=True)
class Layer:
    """One op of the traced network.

    Attributes:
        name: path of its module: "features.conv2".
        kind: of op: "conv2d".
        description: "Conv2d 96→256, groups=2".
        output_shape: batch included.
        parameters: how many numbers it holds, without those of an earlier layer that shares them.
        macs: multiply-adds for the whole batch; 0 where there are none to speak of.
    """

    name: str
    kind: str
    description: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """A network's layers and totals; `print` shows a table.

    Attributes:
        parameters: trainable numbers, shared ones counted once.
        neurons: outputs of all layers with weights (convolution, locally connected, linear) for one sample,
            as Krizhevsky, Sutskever and Hinton (2012) count them.
        macs: multiply-adds of one forward pass for the batch of `input_shape`.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    parameters: int
    neurons: int
    macs: int

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [("layer", "", "output", "parameters", "multiply-adds")]
        for layer in self.layers:
            shape = "×".join(map(str, layer.output_shape))
            rows.append((layer.name, layer.description, shape, _count(layer.parameters), _count(layer.macs)))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        align = (str.ljust, str.ljust, str.ljust, str.rjust, str.rjust)
        lines = [
            "  ".join(put(text, width) for put, text, width in zip(align, row, widths, strict=True))
            for row in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        total = f"{self.parameters:,} parameters, {self.neurons:,} neurons, {self.macs:,} multiply-adds"
        return "\n".join([*lines, lines[1], f"{total} for input {'×'.join(map(str, self.input_shape))}"])


def summarize(module: Module, input_shape: tuple[int, ...]) -> Summary:
    """See Module.summary."""
    graph = graph_of(
        lambda x: x._tracer.call_model(module, (x,)),
        [Argument("x", tuple(input_shape), module.dtype or "float32")],
        scope=Scope(("", module)),
        dtype=module.dtype,
    )
    layers = []
    uncounted = {id(parameter._core) for parameter in module.parameters()}
    neurons = 0
    for node in graph.nodes():
        own = [p for p in node["parameters"] if id(p) in uncounted]
        uncounted.difference_update(id(p) for p in own)
        shape = node["output_shape"]
        if node["kind"] in _WEIGHTED:
            neurons += math.prod(shape[1:])
        layers.append(
            Layer(
                name=node["name"],
                kind=node["kind"],
                description=node["description"],
                output_shape=shape,
                parameters=sum(math.prod(p.shape) for p in own),
                macs=node["macs"],
            )
        )
    return Summary(
        input_shape=tuple(input_shape),
        layers=tuple(layers),
        parameters=sum(parameter.size for parameter in module.parameters()),
        neurons=neurons,
        macs=sum(layer.macs for layer in layers),
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
