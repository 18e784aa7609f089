"""Times of a planned model, step by step, beside what the machine could do at best."""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcnn import _core, ceilings, optim, random
from fastcnn.calls import describe_arguments, is_several, read_arguments
from fastcnn.nn.loss import CrossEntropyLoss
from fastcnn.nn.module import in_mode
from fastcnn.trace import Compiled, Scope, trace
from fastcnn.train import Trainer

if TYPE_CHECKING:
    from fastcnn.ceilings import Ceilings
    from fastcnn.nn.module import Module

_LEAST_RUNS = 5


@dataclass(frozen=True)
class Step:
    """One step of a plan: a layer with what is fused into it, forward or backward, a sum of gradients, an
    update.

    Attributes:
        name: as it is printed, "conv1 + relu1 + pool1".
        layers: the names of the layers in it, in their order; empty for a step that is no layer's.
        kind: of op: "conv2d"; empty for a step that is no layer's.
        algorithm: empty where there is one way.
        phase: "forward" or "backward".
        ms: median milliseconds.
        operations: of its sums of products, two per multiply-add as direct computation has them; an algorithm
            that needs fewer goes beyond the machine's peak.
        bytes: of its operands, each read or written once.
        floor_ms: the least it can take: the larger of operations over the peak and bytes over the bandwidth;
            None where the machine has not been measured. What stays in the caches can be faster.
    """

    name: str
    layers: tuple[str, ...]
    kind: str
    algorithm: str
    phase: str
    ms: float
    operations: int
    bytes: int
    floor_ms: float | None

    @property
    def gflops(self) -> float:
        """Operations per nanosecond."""
        return self.operations / self.ms / 1e6 if self.ms > 0 else 0.0

    @property
    def gigabytes_per_second(self) -> float:
        return self.bytes / self.ms / 1e6 if self.ms > 0 else 0.0

    @property
    def of_floor(self) -> float | None:
        """floor_ms / ms: 1 is as fast as can be."""
        return None if self.floor_ms is None or self.ms <= 0 else self.floor_ms / self.ms

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "gflops": self.gflops,
            "gigabytes_per_second": self.gigabytes_per_second,
            "of_floor": self.of_floor,
        }


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
            f"{_table(self.steps, self.median_ms, rest)}\n"
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
    while len(totals) < _LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run(executor)
        totals.append(time.perf_counter() - start)
        by_step.append(executor.step_seconds())
    table = np.array(by_step)
    return Profile(
        training=y is not None,
        batch_size=len(x[0] if is_several(x) else x),
        threads=_core.num_threads()[0],
        runs=len(totals),
        median_ms=1e3 * statistics.median(totals),
        best_ms=1e3 * min(totals),
        rest_ms=1e3 * statistics.median(totals - table.sum(axis=1)),
        steps=_steps(compiled, np.median(table, axis=0).tolist()),
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
    compiled, arrays = Trainer(model, criterion)._compiled(x, y)
    inputs = [arrays[i] for i in compiled.feeds]
    sgd = optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)._prepared()
    state = [(p, p.numpy()) for p in model.parameters() if not p.requires_grad]

    def run(executor: _core.Executor) -> None:
        executor.train_step(inputs, sgd, *random.next_step())
        for parameter, value in state:
            parameter.value[...] = value

    return compiled, run


class RunReport:
    """Prints the times of a plan's steps to stderr, once, when the plan is warm: at its third run."""

    _RUN = 3

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._runs = 0

    def add(self, executor: _core.Executor) -> None:
        self._runs += 1
        if self._runs != self._RUN:
            return
        seconds = executor.step_seconds()
        steps = _steps(self._compiled, seconds)
        rest = ("total", "", "", f"{1e3 * sum(seconds):.3f}", "")
        print(f"run {self._RUN}\n{_table(steps, 1e3 * sum(seconds), rest)}", file=sys.stderr)


def _steps(compiled: Compiled, seconds: Sequence[float]) -> tuple[Step, ...]:
    measured = ceilings.stored()
    nodes = compiled.plan.nodes()
    steps = []
    for step, duration in zip(compiled.plan.steps(), seconds, strict=True):
        node = nodes[step["node"]] if step["node"] >= 0 else None
        steps.append(
            Step(
                name=step["name"],
                layers=() if node is None else tuple(node["name"].split(" + ")),
                kind="" if node is None else node["kind"],
                algorithm="" if node is None else _of_phase(node["algorithm"], step["phase"]),
                phase=step["phase"],
                ms=1e3 * duration,
                operations=step["operations"],
                bytes=step["bytes"],
                floor_ms=None if measured is None else _floor_ms(step, measured),
            )
        )
    return tuple(steps)


def _of_phase(algorithm: str, phase: str) -> str:
    """Of "forward winograd (pointwise: not 1x1), backward_data im2col": what concerns the phase, without the
    reasons."""
    names = re.sub(r" \([^)]*\)", "", algorithm).split(", ")
    own = [name for name in names if name.startswith(phase)]
    return ", ".join(name.removeprefix("forward ").removeprefix("backward_") for name in own or names)


def _floor_ms(step: _core._Step, measured: Ceilings) -> float:
    peak = measured.flops / 2 if step["dtype"] == "float64" else measured.flops
    return 1e3 * max(step["operations"] / peak, step["bytes"] / measured.bandwidth)


def _table(steps: Sequence[Step], total_ms: float, last: Sequence[str]) -> str:
    rows: list[Sequence[str]] = [
        ("step", "op", "algorithm", "ms", "share", "GFLOP/s", "GB/s", "of floor"),
        *(
            (
                step.name,
                step.kind,
                step.algorithm,
                f"{step.ms:.3f}",
                f"{step.ms / total_ms:.1%}",
                f"{step.gflops:.1f}" if step.operations else "",
                f"{step.gigabytes_per_second:.1f}",
                "" if step.of_floor is None else f"{step.of_floor:.0%}",
            )
            for step in steps
        ),
        (*last, *[""] * (8 - len(last))),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i < 3 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
