"""What every schedule of learning rates is, and schedules made of others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastcnn.optim.optimizer import Optimizer


class Schedule:
    """Sets the learning rate of each group of an optimiser as a function of the number of steps.

    Made, it sets the rates of step 0; `step()` goes on by one, after each batch or after each epoch, as the
    schedule counts them (a Trainer does it, see there). The rate that a group had when its first schedule was
    made, its base rate, is kept in the group as "initial_lr".

    Attributes:
        optimizer: whose rates it sets.
        base_lrs: base rates, by group.
        count: steps so far.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.count = 0
        self._apply()

    def lr_at(self, base_lr: float, count: int) -> float:
        """The rate after `count` steps of a group with that base rate."""
        raise NotImplementedError(f"{type(self).__name__} has no lr_at")

    def settings_at(self, count: int) -> list[dict[str, Any]]:
        """What each group is set to after `count` steps."""
        return [{"lr": self.lr_at(base, count)} for base in self.base_lrs]

    def step(self) -> None:
        """One step on."""
        settings = self.settings_at(self.count + 1)
        self.count += 1
        self._set(settings)

    def get_last_lr(self) -> list[float]:
        """The rates as they are set, by group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, in plain numbers; what it was made with is not in it."""
        return {"kind": type(self).__name__, "count": self.count, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there: sets the rates of that step.

        Raises:
            ValueError: the state of another kind of schedule, or of another number of groups.
        """
        check_kind(self, state)
        bases = [float(base) for base in state["base_lrs"]]
        if len(bases) != len(self.base_lrs):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: rates of {len(bases)} groups, "
                f"expected {len(self.base_lrs)}"
            )
        self._rebase(bases)
        self.count = int(state["count"])
        for group, base in zip(self.optimizer.param_groups, bases, strict=True):
            group["initial_lr"] = base
        self._apply()

    def _rebase(self, base_lrs: list[float]) -> None:
        self.base_lrs = base_lrs

    def _apply(self) -> None:
        self._set(self.settings_at(self.count))

    def _set(self, settings: Sequence[Mapping[str, Any]]) -> None:
        for group, values in zip(self.optimizer.param_groups, settings, strict=True):
            group.update(values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(count={self.count}, lr={self.get_last_lr()})"


class LambdaLR(Schedule):
    """base · f(count).

    Args:
        lr_lambda: f, or one per group.
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        self.lr_lambdas = per_group("LambdaLR", "lr_lambda", lr_lambda, optimizer)
        super().__init__(optimizer)

    def settings_at(self, count: int) -> list[dict[str, Any]]:
        return [{"lr": base * f(count)} for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class SequentialLR(Schedule):
    """One schedule after the other, each counting from 0; such as a warm-up and what follows it:

        warmup = optim.LinearLR(optimizer, start_factor=0.1, total_iters=500)
        rest = optim.CosineAnnealingLR(optimizer, T_max=9500)
        schedule = optim.SequentialLR(optimizer, [warmup, rest], milestones=[500])

    Args:
        schedules: of this optimiser.
        milestones: the counts at which the second and each later one begins.
    """

    def __init__(
        self, optimizer: Optimizer, schedules: Sequence[Schedule], milestones: Sequence[int]
    ) -> None:
        if not all(
            isinstance(schedule, Schedule) and schedule.optimizer is optimizer for schedule in schedules
        ):
            raise ValueError("SequentialLR: expected schedules of the number of steps, of this optimizer")
        if len(milestones) != len(schedules) - 1 or sorted(milestones) != list(milestones):
            raise ValueError(
                f"SequentialLR: milestones {list(milestones)} for {len(schedules)} schedules, "
                "expected one fewer, in rising order"
            )
        self.schedules = list(schedules)
        self.milestones = list(milestones)
        super().__init__(optimizer)

    def settings_at(self, count: int) -> list[dict[str, Any]]:
        index = bisect_right(self.milestones, count)
        return self.schedules[index].settings_at(count - (self.milestones[index - 1] if index else 0))

    def _rebase(self, base_lrs: list[float]) -> None:
        super()._rebase(base_lrs)
        for schedule in self.schedules:
            schedule._rebase(base_lrs)


def check_kind(schedule: object, state: Mapping[str, Any]) -> None:
    """Raises ValueError unless the state is of such a schedule."""
    if state["kind"] != type(schedule).__name__:
        raise ValueError(f"{type(schedule).__name__}.load_state_dict: the state is of {state['kind']}")


def per_group(what: str, name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """A value for each group, from one for all or a sequence of them; ValueError for another number."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ValueError(f"{what}: {len(values)} of {name} for {count} groups")
    return values


def check_count(what: str, **counts: int) -> None:
    """Raises ValueError unless all are integers of at least 1."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{what}: {name} is {count!r}, expected a positive integer")
