"""pytest-benchmark of steps from Python: pytest benchmarks/python/bench_step.py"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn, optim

CASES = [("lenet", 64), ("alexnet", 4)]
IDS = [f"{model}-{batch_size}" for model, batch_size in CASES]


def setup(name: str, batch_size: int) -> tuple[nn.Module, np.ndarray, np.ndarray]:
    fastcnn.manual_seed(0)
    entry = models.find(name)
    random = np.random.default_rng(0)
    x = random.standard_normal((batch_size, *entry.input_shape), np.float32)
    return entry.build(entry.num_classes), x, random.integers(0, entry.num_classes, batch_size)


@pytest.mark.parametrize(("name", "batch_size"), CASES, ids=IDS)
def test_fused_step(benchmark: Any, name: str, batch_size: int) -> None:
    model, x, y = setup(name, batch_size)
    trainer = fastcnn.Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    )
    benchmark(trainer.step, x, y)


@pytest.mark.parametrize(("name", "batch_size"), CASES, ids=IDS)
def test_explicit_loop(benchmark: Any, name: str, batch_size: int) -> None:
    model, x, y = setup(name, batch_size)
    optimizer = optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    criterion = nn.CrossEntropyLoss()

    def step() -> None:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    benchmark(step)


@pytest.mark.parametrize(("name", "batch_size"), [*CASES, ("lenet", 1), ("alexnet", 1)])
def test_inference(benchmark: Any, name: str, batch_size: int) -> None:
    model, x, _ = setup(name, batch_size)
    model.eval()
    benchmark(model, x)
