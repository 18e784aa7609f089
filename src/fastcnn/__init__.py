"""A convolutional-network engine for CPUs: NumPy arrays in, NumPy arrays out.

One step of training:

    import fastcnn
    from fastcnn import nn, optim

    model = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1152, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trainer = fastcnn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
    trainer.step(images, labels)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastcnn import nn, optim, random
from fastcnn._core import ShapeError, __version__, available_gemm_providers, available_isas, set_num_threads
from fastcnn.algorithms import conv_algorithms, set_conv_algorithms
from fastcnn.engine.symbol import Symbol
from fastcnn.engine.tensor import Tensor
from fastcnn.info import info, num_threads
from fastcnn.nn import Module, Parameter
from fastcnn.random import manual_seed

if TYPE_CHECKING:
    from fastcnn import convnet, data, figures, metrics, ops, train, views
    from fastcnn.train import Trainer, gradcheck, load_checkpoint, save_checkpoint

__all__ = [
    "Module",
    "Parameter",
    "ShapeError",
    "Symbol",
    "Tensor",
    "Trainer",
    "__version__",
    "available_gemm_providers",
    "available_isas",
    "conv_algorithms",
    "convnet",
    "data",
    "figures",
    "gradcheck",
    "info",
    "load_checkpoint",
    "manual_seed",
    "metrics",
    "models",
    "nn",
    "num_threads",
    "ops",
    "optim",
    "random",
    "save_checkpoint",
    "set_conv_algorithms",
    "set_num_threads",
    "train",
    "views",
]

# Imported at first use, so that `import fastcnn` is quick.
_LAZY_MODULES = ("convnet", "data", "figures", "metrics", "models", "ops", "train", "views")
_LAZY_NAMES = {
    "Trainer": "train",
    "gradcheck": "train",
    "load_checkpoint": "train",
    "save_checkpoint": "train",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"fastcnn.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"fastcnn.{_LAZY_NAMES[name]}"), name)
    raise AttributeError(f"module 'fastcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
