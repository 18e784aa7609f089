"""Times of a planned model, step by step."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastcnn import nn, optim, random
from fastcnn.trace import Argument, Compiled, Scope, trace

_SECONDS = 2.0
_LEAST_RUNS = 5
_BACKWARD = " backward"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LayerTime:
    """Median milliseconds of one layer as planned, with what is fused into it; backward is 0 in inference."""

    name: str
    kind: str
    algorithm: str
    forward_ms: float
    backward_ms: float

    @property
    def median_ms(self) -> float:
        return self.forward_ms + self.backward_ms


@dataclass(frozen=True)
class ModelTime:
    """Milliseconds of whole runs and of their layers; `rest_ms` is what no layer accounts for: reading the
    input, and in training the update."""

    runs: int
    median_ms: float
    best_ms: float
    rest_ms: float
    layers: tuple[LayerTime, ...]


def time_inference(model: nn.Module, x: Array) -> ModelTime:
    """Forward passes in inference mode."""
    compiled = trace(model, [_argument("x", x)], scope=Scope(("", model)), dtype=model.dtype, training=False)
    executor = compiled.acquire()
    return _measure(compiled, executor, lambda: executor.run([x], 0, 0))


def time_training(model: nn.Module, x: Array, y: Array) -> ModelTime:
    """Training steps: forward, cross-entropy, backward and update, with a learning rate of 0."""
    criterion = nn.CrossEntropyLoss()
    compiled = trace(
        lambda x, y: criterion(model(x), y),
        [_argument("x", x), _argument("y", y)],
        scope=Scope(("", model), ("loss", criterion)),
        dtype=model.dtype,
        training=True,
    )
    executor = compiled.acquire()
    inputs = [(x, y)[i] for i in compiled.feeds]
    sgd = optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)._prepared()
    return _measure(compiled, executor, lambda: executor.train_step(inputs, sgd, *random.next_step()))


def _argument(name: str, array: Array) -> Argument:
    return Argument(name, array.shape, str(array.dtype))


def _measure(compiled: Compiled, executor: Any, run: Callable[[], object]) -> ModelTime:
    executor.set_timing(True)
    run()
    totals: list[float] = []
    steps: list[list[float]] = []
    end = time.perf_counter() + _SECONDS
    while len(totals) < _LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        totals.append(time.perf_counter() - start)
        steps.append(executor.step_seconds())
    by_step = np.array(steps)
    medians = 1e3 * np.median(by_step, axis=0)
    return ModelTime(
        runs=len(totals),
        median_ms=1e3 * statistics.median(totals),
        best_ms=1e3 * min(totals),
        rest_ms=1e3 * statistics.median(totals - by_step.sum(axis=1)),
        layers=_by_layer(compiled, medians.tolist()),
    )


def _by_layer(compiled: Compiled, milliseconds: list[float]) -> tuple[LayerTime, ...]:
    """Steps that belong to no node, such as sums of gradients, are layers of their own."""
    forward: dict[str, float] = {}
    backward: dict[str, float] = {}
    for name, duration in zip(compiled.plan.step_names(), milliseconds, strict=True):
        times = backward if name.endswith(_BACKWARD) else forward
        layer = name.removesuffix(_BACKWARD)
        times[layer] = times.get(layer, 0.0) + duration
    nodes = {node["name"]: node for node in compiled.plan.nodes()}
    return tuple(
        LayerTime(
            name=name,
            kind=nodes[name]["kind"] if name in nodes else "",
            algorithm=nodes[name]["algorithm"].partition(" (")[0] if name in nodes else "",  # without reasons
            forward_ms=forward.get(name, 0.0),
            backward_ms=backward.get(name, 0.0),
        )
        for name in dict.fromkeys((*forward, *backward))
    )
