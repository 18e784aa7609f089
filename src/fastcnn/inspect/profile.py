"""Times of a planned model, step by step, beside the machine's roofline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastcnn import _core, optim, random
from fastcnn.engine.arguments import describe_arguments, flatten, read_arguments
from fastcnn.engine.compiled import Compiled, trace
from fastcnn.engine.step_times import Step, steps_of, table
from fastcnn.engine.tracer import Scope
from fastcnn.nn.loss import CrossEntropyLoss
from fastcnn.nn.module import Module, in_mode
from fastcnn.train import Trainer

_MIN_RUNS = 5


@dataclass(frozen=True)
class Profile:
    """Milliseconds of whole runs and of their steps; `print` shows a table.

    Attributes:
        rest_ms: what no step accounts for, such as reading the input.
    """

    training: bool
    batch_size: int
    threads: int
    runs: int
    median_ms: float
    best_ms: float
    rest_ms: float
    steps: tuple[Step, ...]

    @property
    def images_per_second(self) -> float:
        return 1e3 * self.batch_size / self.median_ms

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        result = {**asdict(self), "images_per_second": self.images_per_second}
        result["layers"] = [step.to_dict() for step in self.steps]
        return result

    def __str__(self) -> str:
        rest = ("rest", "", "", f"{self.rest_ms:.3f}", f"{self.rest_ms / self.median_ms:.1%}")
        return (
            f"{table(self.steps, self.median_ms, rest)}\n"
            f"{'training step' if self.training else 'inference'} of {self.batch_size} images, "
            f"{self.threads} threads, {self.runs} runs: median {self.median_ms:.3f} ms, "
            f"best {self.best_ms:.3f} ms; {self.images_per_second:,.0f} images/s"
        )


def profile(model: Module, x: Any, y: Any, *, criterion: Module | None, seconds: float) -> Profile:
    """See Module.profile."""
    compiled, run = compile_run(model, x, y, criterion)
    executor = compiled.acquire()
    executor.set_timing(True)
    run(executor)
    totals: list[float] = []
    by_step: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(totals) < _MIN_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run(executor)
        totals.append(time.perf_counter() - start)
        by_step.append(executor.step_seconds())
    table = np.array(by_step)
    return Profile(
        training=y is not None,
        batch_size=len(flatten((x,))[0][0]),
        threads=_core.num_threads()[0],
        runs=len(totals),
        median_ms=1e3 * statistics.median(totals),
        best_ms=1e3 * min(totals),
        rest_ms=1e3 * statistics.median(totals - table.sum(axis=1)),
        steps=steps_of(compiled.plan, np.median(table, axis=0).tolist()),
    )


def compile_run(
    model: Module, x: Any, y: Any, criterion: Module | None
) -> tuple[Compiled, Callable[[_core.Executor], object]]:
    """The plan of inference of x or, unless y is None, of a training step, and what runs it."""
    training = y is not None
    with in_mode(model, training):
        return (
            _training_step(model, x, y, criterion or CrossEntropyLoss()) if training else _inference(model, x)
        )


def _inference(model: Module, x: Any) -> tuple[Compiled, Callable[[_core.Executor], object]]:
    arrays, _ = read_arguments((x,))
    compiled = trace(
        lambda x: x._tracer.call_model(model, (x,)),
        describe_arguments(model, (None,), arrays),
        scope=Scope(("", model)),
        dtype=model.dtype,
        training=False,
    )
    return compiled, lambda executor: executor.run(arrays, 0, 0)


def _training_step(
    model: Module, x: Any, y: Any, criterion: Module
) -> tuple[Compiled, Callable[[_core.Executor], object]]:
    """With a learning rate of 0, and with what the model's forward pass changes put back after each run."""
    compiled, arrays = Trainer(model, criterion)._compiled(*flatten((x, y)))
    inputs = [arrays[i] for i in compiled.feeds]
    sgd = optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)._prepared()
    state = [(p, p.numpy()) for p in model.parameters() if not p.requires_grad]

    def run(executor: _core.Executor) -> None:
        executor.train_step(inputs, sgd, *random.next_step())
        for parameter, value in state:
            parameter.value[...] = value

    return compiled, run
