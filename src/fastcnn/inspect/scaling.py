"""Bounds on the speed-up by many cores, computed from one run on one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastcnn import _core
from fastcnn.inspect.profile import compile_run
from fastcnn.nn.module import Module

_RUNS = 5
_Call = tuple[int, bool, float]  # tasks, whether they are shared, seconds on one core


@dataclass(frozen=True)
class StepScaling:
    """One step.

    Attributes:
        ms: on one core.
        tasks: of the parallel part that takes longest; 1 where there is none.
        serial: share of the time that is not in parallel parts.
        speedups: for each number of cores, the most that it could be faster: tasks of a part take equally
            long, cores are as fast together as alone, and nothing else costs time. Memory bandwidth, which
            cores share, is not in it.
    """

    name: str
    ms: float
    tasks: int
    serial: float
    speedups: tuple[float, ...]


@dataclass(frozen=True)
class Scaling:
    """All steps; `print` shows a table.

    Attributes:
        total: of all steps together; `tasks` is the least of those that take a hundredth of the time or more.
    """

    cores: tuple[int, ...]
    steps: tuple[StepScaling, ...]
    total: StepScaling

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [("step", "ms", "tasks", "serial", *(f"{cores} cores" for cores in self.cores))]
        for step in (*self.steps, self.total):
            speedups = (f"{speedup:.1f}x" for speedup in step.speedups)
            rows.append((step.name, f"{step.ms:.3f}", str(step.tasks), f"{step.serial:.2%}", *speedups))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(put(cell, w) for put, cell, w in zip(_ALIGN, row, widths, strict=False)) for row in rows
        )


_ALIGN: Sequence[Callable[[str, int], str]] = (str.ljust, *[str.rjust] * 32)


def scaling(model: Module, x: Any, y: Any = None, cores: Sequence[int] = (4, 16, 64)) -> Scaling:
    """Runs inference of x or, when y is given, training steps on x and y, on one thread, and computes bounds.

    Work is cut by shape and never by the number of threads, so one thread meets the same tasks as many do.
    """
    threads = _core.num_threads()[0]
    _core.set_num_threads(1)
    try:
        compiled, run = compile_run(model, x, y, None)
        executor = compiled.acquire()
        executor.set_timing(True)
        runs = []
        for _ in range(_RUNS):
            run(executor)
            runs.append((executor.step_seconds(), executor.step_calls()))
    finally:
        _core.set_num_threads(threads)
    seconds, calls = min(runs[1:], key=lambda run: sum(run[0]))
    names = [step["name"] for step in compiled.plan.steps()]
    steps = tuple(
        _bound(name, duration, parts, cores)
        for name, duration, parts in zip(names, seconds, calls, strict=True)
    )
    everything = _bound("total", sum(seconds), [call for parts in calls for call in parts], cores)
    large = [step.tasks for step in steps if step.ms >= everything.ms / 100]
    total = StepScaling("total", everything.ms, min(large), everything.serial, everything.speedups)
    return Scaling(tuple(cores), steps, total)


def _bound(name: str, seconds: float, calls: Sequence[_Call], cores: Sequence[int]) -> StepScaling:
    shared = [(tasks, duration) for tasks, worthwhile, duration in calls if worthwhile]
    serial = max(0.0, seconds - sum(duration for _, duration in shared))
    times = [serial + sum(d * math.ceil(tasks / n) / tasks for tasks, d in shared) for n in cores]
    return StepScaling(
        name=name,
        ms=1e3 * seconds,
        tasks=max(shared, key=lambda call: call[1])[0] if shared else 1,
        serial=serial / seconds if seconds > 0 else 0.0,
        speedups=tuple(seconds / time if time > 0 else 1.0 for time in times),
    )
