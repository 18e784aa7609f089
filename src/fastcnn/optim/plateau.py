"""The rate that falls when training gets stuck."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.schedule import check_kind, per_group


class ReduceLROnPlateau:
    """Multiplies the rates by `factor` once a metric has not improved for more than `patience` steps, as
    PyTorch does.

    Args:
        mode: "min" for a loss, "max" for an accuracy.
        factor: below 1.
        patience: steps without improvement that are borne.
        threshold: the least improvement that counts, relative to the best ("rel") or absolute ("abs").
        cooldown: steps after a fall in which nothing is counted.
        min_lr: the rates stay at least this; one for all groups, or one per group.
        eps: a fall by less is left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not 0 <= factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor is {factor}, expected 0 to below 1")
        if mode not in ("min", "max"):
            raise ValueError(f'ReduceLROnPlateau: mode is {mode!r}, expected "min" or "max"')
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f'ReduceLROnPlateau: threshold_mode is {threshold_mode!r}, expected "rel" or "abs"'
            )
        self.optimizer = optimizer
        self.sign = 1.0 if mode == "min" else -1.0
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.relative = threshold_mode == "rel"
        self.cooldown = cooldown
        self.min_lrs: list[float] = per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.eps = eps
        self.best: float | None = None
        self.bad_steps = 0
        self.cooling = 0

    def step(self, metric: float) -> None:
        """Takes the metric of one more epoch into account."""
        metric = float(metric)
        if self._improves(metric):
            self.best = metric
            self.bad_steps = 0
        else:
            self.bad_steps += 1
        if self.cooling > 0:
            self.cooling -= 1
            self.bad_steps = 0
        if self.bad_steps > self.patience:
            self._reduce()
            self.cooling = self.cooldown
            self.bad_steps = 0

    def get_last_lr(self) -> list[float]:
        """The rates as they are set, by group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, in plain numbers; the rates themselves are the optimiser's state."""
        return {
            "kind": type(self).__name__,
            "best": self.best,
            "bad_steps": self.bad_steps,
            "cooling": self.cooling,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there. Raises ValueError for the state of another kind of schedule."""
        check_kind(self, state)
        best, bad_steps, cooling = state["best"], int(state["bad_steps"]), int(state["cooling"])
        self.best = None if best is None else float(best)
        self.bad_steps, self.cooling = bad_steps, cooling

    def _improves(self, metric: float) -> bool:
        if self.best is None:
            return not math.isnan(metric)
        margin = self.threshold * (self.best if self.relative else 1.0)
        return self.sign * metric < self.sign * self.best - margin

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, least)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr

    def __repr__(self) -> str:
        return f"ReduceLROnPlateau(best={self.best}, lr={self.get_last_lr()})"
