"""One cycle: the rate up and down once, the momentum against it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.schedule import Schedule, check_count, per_group
from fastcnn.optim.schedules import check_factor


class OneCycleLR(Schedule):
    """From max_lr / div_factor up to max_lr, then down to 1 / final_div_factor of where it began [Smith and
    Topin 2017], in PyTorch's two phases, or three where it goes down as it came up first. Step it after each
    batch.

    Args:
        max_lr: at the top; one for all groups, or one per group.
        total_steps: batches of the whole training.
        pct_start: share of the steps that goes up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: momentum, or the first of the betas, goes from max_momentum to base_momentum and back
            meanwhile.
        three_phase: up, down as far, and then to the end.

    Raises:
        ValueError: a setting out of its range; by `step`, beyond total_steps.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        check_count("OneCycleLR", total_steps=total_steps)
        check_factor("OneCycleLR", "pct_start", pct_start)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f'OneCycleLR: anneal_strategy is {anneal_strategy!r}, expected "cos" or "linear"'
            )
        if cycle_momentum and not any(name in optimizer.param_groups[0] for name in ("momentum", "betas")):
            raise ValueError("OneCycleLR: cycle_momentum needs an optimiser with a momentum, or betas")
        self.max_lrs: list[float] = per_group("OneCycleLR", "max_lr", max_lr, optimizer)
        self.total_steps = total_steps
        self.linear = anneal_strategy == "linear"
        self.cycle_momentum = cycle_momentum
        self.momenta = (base_momentum, max_momentum)
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        top = pct_start * total_steps - 1
        # Where each phase ends, and between which of start, top and end it goes.
        self._phases = [(top, "start", "top"), (total_steps - 1.0, "top", "end")]
        if three_phase:
            down = (2 * top, "top", "start")
            self._phases = [self._phases[0], down, (total_steps - 1.0, "start", "end")]
        super().__init__(optimizer)

    def settings_at(self, count: int) -> list[dict[str, Any]]:
        if count > self.total_steps:
            raise ValueError(f"OneCycleLR: step {count} of {self.total_steps}")
        ends = [last for last, _, _ in self._phases]
        index = min(bisect_left(ends, count), len(ends) - 1)
        before = ends[index - 1] if index else 0.0
        last, begin, end = self._phases[index]
        done = min(1.0, (count - before) / (last - before)) if last > before else 1.0
        groups = zip(self.optimizer.param_groups, self.max_lrs, strict=True)
        return [self._settings(group, max_lr, begin, end, done) for group, max_lr in groups]

    def _settings(
        self, group: Mapping[str, Any], max_lr: float, begin: str, end: str, done: float
    ) -> dict[str, Any]:
        start = max_lr / self.div_factor
        lrs = {"start": start, "top": max_lr, "end": start / self.final_div_factor}
        settings: dict[str, Any] = {"lr": self._between(lrs[begin], lrs[end], done)}
        if self.cycle_momentum:
            base, most = self.momenta
            momenta = {"start": most, "top": base, "end": most}
            momentum = self._between(momenta[begin], momenta[end], done)
            settings.update(
                {"betas": (momentum, group["betas"][1])} if "betas" in group else {"momentum": momentum}
            )
        return settings

    def _between(self, start: float, end: float, done: float) -> float:
        if self.linear:
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)
