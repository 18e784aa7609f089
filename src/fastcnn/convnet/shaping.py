"""Layers without weights that join, drop, cut and transform."""

from __future__ import annotations

import math

from fastcnn import nn
from fastcnn.convnet.layer import Built, Layer, Shape, elementwise


def softmax(layer: Layer) -> Built:
    """Probabilities: exp(x) divided by its sum over all of the input."""
    layer.only_input()
    shape: Shape = (layer.count(),)
    return Built(nn.Softmax(), [shape], shape)


def concat(layer: Layer) -> Built:
    """The inputs side by side: images of one size as more maps, others as more numbers.

    cuda-convnet2's pass is a concat that copies nothing.
    """
    shapes = [source.shape for source in layer.inputs]
    if len({shape[1:] for shape in shapes}) > 1:
        shapes = [(math.prod(shape),) for shape in shapes]
    return Built(nn.Concat(), shapes, (sum(shape[0] for shape in shapes), *shapes[0][1:]))


def dropout(layer: Layer) -> Built:
    """In training each number is kept with probability `keep` and divided by it."""
    keep, enabled = _keep(layer)
    return elementwise(layer, nn.Dropout(1 - keep) if enabled else nn.Identity())


def dropout2(layer: Layer) -> Built:
    """In training each number is kept with probability `keep`; else, also when disabled, all are multiplied
    with it."""
    keep, enabled = _keep(layer)
    return elementwise(layer, nn.Dropout(1 - keep, scaling="inference") if enabled else nn.Affine(keep))


def _keep(layer: Layer) -> tuple[float, bool]:
    keep = layer.params.real("keep", 0.5)
    if not 0 < keep <= 1:
        raise layer.params.error(f"keep is {keep}, expected above 0 and at most 1", "keep")
    return keep, layer.params.flag("enable", True)


def eltsum(layer: Layer) -> Built:
    """The inputs, each times its coefficient, added."""
    keys = layer.params if layer.params.has("coeffs") else layer.section
    coefficients = keys.reals("coeffs", len(layer.inputs), 1.0)
    plain = set(coefficients) == {1.0}
    return _of_equals(layer, nn.Add(None if plain else coefficients))


def eltmax(layer: Layer) -> Built:
    """The largest of the inputs, number by number."""
    if len(layer.inputs) < 2:
        raise layer.error("eltmax has 1 input, expected at least 2", "inputs")
    return _of_equals(layer, nn.Maximum())


def _of_equals(layer: Layer, module: nn.Module) -> Built:
    """A module of inputs that are as many numbers; shapes are the first one's."""
    counts = [layer.count(i) for i in range(len(layer.inputs))]
    if len(set(counts)) > 1:
        raise layer.error(
            f"inputs of {', '.join(map(str, counts))} numbers, expected as many in each", "inputs"
        )
    shape = layer.inputs[0].shape
    return Built(module, [shape] * len(counts), shape)
