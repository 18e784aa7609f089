"""Cost layers: loss functions. Each is the mean over samples of its sum, times its coefficient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastcnn import nn
from fastcnn.convnet.layer import Layer, Source


@dataclass(frozen=True)
class Cost:
    """One cost layer.

    Attributes:
        name: of the layer.
        loss: takes prediction and target, or the prediction alone.
        prediction: the value of the model that it reads.
        target: dataIdx of the data that it compares with; None for none.
        coeff: its weight in the sum of all costs.
        topk: a prediction counts as right when the label is among so many of the most probable classes.
    """

    name: str
    loss: nn.Module
    prediction: str
    target: int | None
    coeff: float
    topk: int = 1


CostBuilder = Callable[[Layer], Cost]


def logreg(layer: Layer) -> Cost:
    """-log p(label), with p a softmax layer."""
    data = _data(layer)
    if layer.count(0) != 1:
        raise layer.error(f"{data.name} is {layer.count(0)} numbers, expected labels", "inputs")
    topk = layer.params.integer("topk", 1, least=1)
    if topk > layer.count(1):
        raise layer.params.error(f"topk is {topk}, there are {layer.count(1)} classes", "topk")
    coeff = _coeff(layer)
    loss = nn.CrossEntropyLoss(coefficient=coeff)
    return Cost(layer.name, loss, _below(layer, "softmax"), data.data_index, coeff, topk)


def crossent(layer: Layer) -> Cost:
    """-sum of t log p, with t a distribution over the classes and p a softmax layer."""
    data = _rows(layer)
    coeff = _coeff(layer)
    loss = nn.CrossEntropyLoss(coefficient=coeff)
    return Cost(layer.name, loss, _below(layer, "softmax"), data.data_index, coeff)


def bce(layer: Layer) -> Cost:
    """-sum of posWeight t log p + (1 - t) log(1 - p), for probabilities p, such as logistic neurons.

    cuda-convnet2's dce is a bce that reports precision and recall.
    """
    data = _rows(layer)
    coeff = _coeff(layer)
    source = layer.inputs[1]
    logistic = source.function == "logistic"
    kind = nn.BCEWithLogitsLoss if logistic else nn.BCELoss
    weight = layer.params.real("posWeight", 1.0, least=0.0)
    loss = kind("batchmean", pos_weight=None if weight == 1 else weight, coefficient=coeff)
    return Cost(layer.name, loss, source.below if logistic else source.value, data.data_index, coeff)


def sum2(layer: Layer) -> Cost:
    """Sum of x²."""
    source = layer.only_input()
    coeff = _coeff(layer)
    return Cost(layer.name, nn.MSELoss("batchmean", coefficient=coeff), source.value, None, coeff)


def _coeff(layer: Layer) -> float:
    return layer.params.real("coeff", least=0.0)


def _data(layer: Layer) -> Source:
    """The first of two inputs, which is data."""
    layer.expect_inputs(2)
    data = layer.inputs[0]
    if data.data_index is None:
        raise layer.error(f"{data.name} is of type {data.kind}, expected data", "inputs")
    return data


def _rows(layer: Layer) -> Source:
    data = _data(layer)
    if layer.count(0) != layer.count(1):
        raise layer.error(
            f"{data.name} is {layer.count(0)} numbers, {layer.inputs[1].name} is {layer.count(1)}", "inputs"
        )
    return data


def _below(layer: Layer, function: str) -> str:
    """What goes into the second input, which is that function of it: the loss has the function built in."""
    source = layer.inputs[1]
    if source.function != function:
        raise layer.error(f"{source.name} is of type {source.kind}, expected {function}", "inputs")
    return source.below
