"""Engines by name. Each has a module here, imported only in processes of its own (worker.py).

A module has `versions()`, which may say anything about the engine, and `prepare(case, variant, folder)`,
which builds a network with the weights in `folder` and returns a Prepared. OMP_NUM_THREADS says how many
threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

WEIGHTS = "weights.npz"
ONNX = "model.onnx"


@dataclass(frozen=True)
class Peer:
    """An engine: its module, the ways to run it, and whether it reads ONNX, which PyTorch writes."""

    module: str
    training: tuple[str, ...]
    inference: tuple[str, ...]
    reads_onnx: bool = False

    def variants(self, training: bool, compiled: bool) -> list[str]:
        variants = self.training if training else self.inference
        return [variant for variant in variants if compiled or "compile" not in variant]


@dataclass(frozen=True)
class Prepared:
    """A network ready to run.

    Attributes:
        check: gives what is compared between engines: logits, or the losses of two training steps without
            dropout. To be called once, before the first step.
        step: what is timed.
        seconds: runs a step and returns how long the part took that is to be timed, where that isn't all.
    """

    check: Callable[[], np.ndarray]
    step: Callable[[], Any]
    seconds: Callable[[], float] | None = None


PEERS = {
    "fastcnn": Peer("versus.peers.fastcnn", ("",), ("",)),
    "PyTorch": Peer(
        "versus.peers.torch",
        ("NCHW", "channels_last", "NCHW compile", "channels_last compile"),
        ("NCHW", "channels_last", "NCHW compile", "channels_last compile"),
    ),
    "ONNX Runtime": Peer("versus.peers.onnxruntime", (), ("",), reads_onnx=True),
    "OpenVINO": Peer("versus.peers.openvino", (), ("",), reads_onnx=True),
}


def threads() -> int:
    """Of an engine's process."""
    return int(os.environ["OMP_NUM_THREADS"])


def losses_without_dropout(step: Callable[[], float], modules: Iterable[Any], dropout: Any) -> np.ndarray:
    """Losses of two steps, while the modules of type `dropout` drop nothing: masks are each engine's own."""
    before = [(module, module.p) for module in modules if isinstance(module, dropout)]
    for module, _ in before:
        module.p = 0.0
    losses = np.array([step(), step()])
    for module, p in before:
        module.p = p
    return losses
