"""The model that a layer file describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastcnn import nn
from fastcnn.convnet.layer import Shape
from fastcnn.nn import functional


@dataclass
class Node:
    """A layer's place in the model.

    Attributes:
        name: of the layer, and of its module in the model.
        inputs: names of layers above.
        reads, pads: as `Built` has them.
    """

    name: str
    inputs: list[str]
    reads: list[Shape]
    pads: list[tuple[int, int]]


class ConvNet(nn.Module):
    """Layers under the names of the file; the neuron= of conv1 is conv1_neuron, as in cuda-convnet.

    It takes the data that layers other than costs read, by rising dataIdx, and returns what costs compare,
    one value or a tuple: of softmax and logistic layers, what goes into them (logits), since the costs have
    these functions built in.
    """

    def __init__(
        self,
        inputs: list[str],
        layers: list[tuple[Node, nn.Module]],
        outputs: list[str],
        input_shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.input_shape = input_shape
        self.data_layers = inputs
        self.nodes = [node for node, _ in layers]
        self.outputs = outputs
        for node, module in layers:
            setattr(self, node.name, module)

    def forward(self, *inputs: Any) -> Any:
        values = dict(zip(self.data_layers, inputs, strict=True))
        for node in self.nodes:
            read = [_read(values[name], shape) for name, shape in zip(node.inputs, node.reads, strict=True)]
            if node.pads:
                read = [functional.pad(x, (*pad, *pad)) for x, pad in zip(read, node.pads, strict=True)]
            values[node.name] = getattr(self, node.name)(*read)
        outputs = tuple(values[name] for name in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs


def _read(value: Any, shape: Shape) -> Any:
    """The value with samples of that shape, in (c, h, w) order."""
    if tuple(value.shape[1:]) == shape:
        return value
    return (
        functional.flatten(value) if len(shape) == 1 else functional.reshape(value, (value.shape[0], *shape))
    )
