"""The models that have a name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from fastcnn.models.alexnet import alexnet
from fastcnn.models.cifar_quick import cifar_quick
from fastcnn.models.lenet import lenet
from fastcnn.models.mobilenet import mobilenet_v2
from fastcnn.models.resnet import resnet18, resnet50
from fastcnn.models.vgg import vgg11
from fastcnn.nn import Module


@dataclass(frozen=True)
class Entry:
    """How to build a model, and what it reads and tells apart by default.

    Attributes:
        build: takes num_classes.
        input_shape: (channels, height, width).
    """

    build: Callable[[int], Module]
    input_shape: tuple[int, int, int]
    num_classes: int


REGISTRY = {
    "lenet": Entry(lenet, (1, 28, 28), 10),
    "cifar_quick": Entry(cifar_quick, (3, 32, 32), 10),
    "alexnet": Entry(alexnet, (3, 227, 227), 1000),
    "vgg11": Entry(vgg11, (3, 224, 224), 1000),
    "resnet18": Entry(resnet18, (3, 224, 224), 1000),
    "resnet50": Entry(resnet50, (3, 224, 224), 1000),
    "mobilenet_v2": Entry(mobilenet_v2, (3, 224, 224), 1000),
}


def find(name: str) -> Entry:
    """The registered model of that name.

    Raises:
        ValueError: there is none; says which name is near.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    near = difflib.get_close_matches(name, REGISTRY, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known models: {', '.join(REGISTRY)}"
    raise ValueError(f"no model {name!r}{hint}")
