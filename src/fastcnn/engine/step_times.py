"""Times of the steps of a plan, beside the machine's roofline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastcnn import _core, ceilings


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


def steps_of(plan: _core.Plan, seconds: Sequence[float]) -> tuple[Step, ...]:
    """The steps of a plan, which took so long."""
    measured = ceilings.stored()
    nodes = plan.nodes()
    steps = []
    for step, duration in zip(plan.steps(), seconds, strict=True):
        node = nodes[step["node"]] if step["node"] >= 0 else None
        steps.append(
            Step(
                name=step["name"],
                layers=tuple(step["layers"]),
                kind="" if node is None else node["kind"],
                algorithm=_algorithm_of(step),
                phase=step["phase"],
                ms=1e3 * duration,
                operations=step["operations"],
                bytes=step["bytes"],
                floor_ms=None if measured is None else _floor_ms(step, measured),
            )
        )
    return tuple(steps)


def _algorithm_of(step: _core._Step) -> str:
    """ "winograd_4x3" of a forward step, "data implicit, weights im2col" of a backward one."""
    names = {choice["pass"].removeprefix("backward_"): choice["name"] for choice in step["algorithms"]}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{part} {name}" for part, name in names.items())


def _floor_ms(step: _core._Step, measured: ceilings.Ceilings) -> float:
    peak = measured.flops / 2 if step["dtype"] == "float64" else measured.flops
    return 1e3 * max(step["operations"] / peak, step["bytes"] / measured.bandwidth)


def table(steps: Sequence[Step], total_ms: float, last: Sequence[str]) -> str:
    """One line per step, and a last one."""
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


class RunReport:
    """Prints the times of a plan's steps to stderr, once, when the plan is warm: at its third run."""

    _RUN = 3

    def __init__(self, plan: _core.Plan) -> None:
        self._plan = plan
        self._runs = 0

    def add(self, executor: _core.Executor) -> None:
        self._runs += 1
        if self._runs != self._RUN:
            return
        seconds = executor.step_seconds()
        steps = steps_of(self._plan, seconds)
        rest = ("total", "", "", f"{1e3 * sum(seconds):.3f}", "")
        print(f"run {self._RUN}\n{table(steps, 1e3 * sum(seconds), rest)}", file=sys.stderr)
