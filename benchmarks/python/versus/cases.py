"""What is measured: networks, what they read, and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRAINING = "training"
LATENCY = "one image"
BATCH = "batch"

SGD = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}


@dataclass(frozen=True)
class Network:
    """A model of fastcnn.models with the batch size of its training steps.

    Attributes:
        memory_batch_sizes: of training steps whose memory is measured.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    batch_size: int
    memory_batch_sizes: tuple[int, ...]


NETWORKS = {
    "lenet": Network((1, 28, 28), 10, 64, (64,)),
    "cifar_quick": Network((3, 32, 32), 10, 128, (128,)),
    "alexnet": Network((3, 227, 227), 1000, 64, (32, 64)),
    "vgg11": Network((3, 224, 224), 1000, 16, (16,)),
    "resnet18": Network((3, 224, 224), 1000, 32, (32,)),
    "resnet50": Network((3, 224, 224), 1000, 16, (16, 32)),
    "mobilenet_v2": Network((3, 224, 224), 1000, 32, (32,)),
    "alexnet_one_tower": Network((3, 224, 224), 1000, 64, (64,)),
    "vgg16": Network((3, 224, 224), 1000, 16, (16,)),
    "googlenet": Network((3, 224, 224), 1000, 32, (32,)),
    "squeezenet1_1": Network((3, 224, 224), 1000, 32, (32,)),
    "densenet121": Network((3, 224, 224), 1000, 16, (16,)),
}
DEFAULT_NETWORKS = ("lenet", "cifar_quick", "alexnet", "vgg11", "resnet18", "resnet50", "mobilenet_v2")


@dataclass(frozen=True)
class Case:
    """`mode` is TRAINING (a step: forward, loss, backward, update), LATENCY or BATCH (inference)."""

    network: str
    mode: str
    batch_size: int

    @property
    def training(self) -> bool:
        return self.mode == TRAINING

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (n, c, h, w) and labels int64 (n)."""
        network = NETWORKS[self.network]
        random = np.random.default_rng(0)
        x = random.standard_normal((self.batch_size, *network.input_shape), np.float32)
        return x, random.integers(0, network.num_classes, self.batch_size)


def case_of(network: str, mode: str) -> Case:
    batch_size = {TRAINING: NETWORKS[network].batch_size, LATENCY: 1, BATCH: 16}[mode]
    return Case(network, mode, batch_size)
