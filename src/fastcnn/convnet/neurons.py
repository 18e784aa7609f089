"""The neuron layer, and neuron= of the others: functions by element."""

from __future__ import annotations

import re

from fastcnn import nn
from fastcnn.convnet.cfg import Section, near
from fastcnn.convnet.layer import Built, Layer, elementwise

_NEURON = re.compile(r"(\w+)\s*(?:\[(.*)\])?$")

# By name, how many numbers stand in brackets, and the module of fastcnn.nn that they make.
NEURONS: dict[str, tuple[int, str]] = {
    "ident": (0, "Identity"),
    "logistic": (0, "Sigmoid"),
    "abs": (0, "Abs"),
    "relu": (0, "ReLU"),
    "softrelu": (0, "Softplus"),
    "square": (0, "Square"),
    "sqrt": (0, "Sqrt"),
    "tanh": (2, "Tanh"),
    "brelu": (1, "BoundedReLU"),
    "linear": (2, "Affine"),
    "log": (1, "Log"),
    "drelu": (1, "DoubleReLU"),
    "nrelu": (0, "NoisyReLU"),
    "abstanh": (2, "AbsTanh"),
}


def neuron(layer: Layer) -> Built:
    """A function of each number."""
    return elementwise(layer, make_neuron(layer.section))


def make_neuron(section: Section) -> nn.Module:
    """What a section's neuron= says, such as relu or tanh[1.7159,0.6666]."""
    text = section.text("neuron").strip()
    match = _NEURON.match(text)
    if not match or match[1] not in NEURONS:
        raise section.error(
            f"neuron is {text!r}, expected one of {', '.join(NEURONS)}{near(text, NEURONS)}", "neuron"
        )
    count, module = NEURONS[match[1]]
    parts = match[2].split(",") if match[2] is not None else []
    try:
        numbers = [float(part) for part in parts]
        if len(numbers) != count:
            raise ValueError(f"expected {count} numbers in brackets")
        made: nn.Module = getattr(nn, module)(*numbers)
        return made
    except ValueError as error:
        raise section.error(f"neuron is {text!r}: {error}", "neuron") from error
