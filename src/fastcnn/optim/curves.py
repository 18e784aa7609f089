"""cuda-convnet2's schedules: rates that fall to 1 / target_factor of themselves by the end of training.

A curve maps the progress of training, 0 to 1, to a factor of the base rate. The formulas are those of
cuda-convnet2's lr.cu; its epsW=dexp[base=0.01;tgtFactor=250;numSteps=4] is a group of lr=0.01 and the curve
dexp(250, 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.schedule import Schedule, check_count, per_group

Curve = Callable[[float], float]


def const() -> Curve:
    """1."""
    return lambda _: 1.0


def linear(target_factor: float) -> Curve:
    """(1 - progress) + progress / target_factor."""
    _check("linear", target_factor)
    return lambda progress: (1 - progress) + progress / target_factor


def exp(target_factor: float) -> Curve:
    """target_factor^-progress."""
    _check("exp", target_factor)
    return lambda progress: float((1.0 / target_factor) ** progress)


def dexp(target_factor: float, num_steps: int) -> Curve:
    """In `num_steps` equal parts of training: target_factor^(-i / (num_steps - 1)) in part i, and
    1 / target_factor in the last one, also where it is the only one. A part's end belongs to it."""
    _check("dexp", target_factor)
    check_count("dexp", num_steps=num_steps)
    smooth = exp(target_factor)
    factors = [smooth(i / (num_steps - 1)) for i in range(num_steps - 1)] + [1.0 / target_factor]

    def curve(progress: float) -> float:
        for i, factor in enumerate(factors):
            if progress <= (i + 1) / num_steps:
                return factor
        return factors[-1]

    return curve


class ProgressLR(Schedule):
    """base · curve(count / total_steps), by group; after the end, curve(1).

    Args:
        curve: such as `optim.curves.exp(1000)`; one for all groups, or one per group.
        total_steps: of the whole training.
        period: the progress moves on every so many steps only. cuda-convnet2's does from one data batch, a
            file of many mini-batches, to the next.
    """

    def __init__(
        self, optimizer: Optimizer, curve: Curve | Sequence[Curve], total_steps: int, period: int = 1
    ) -> None:
        check_count("ProgressLR", total_steps=total_steps, period=period)
        self.curves: list[Curve] = per_group("ProgressLR", "curve", curve, optimizer)
        self.total_steps = total_steps
        self.period = period
        super().__init__(optimizer)

    def settings_at(self, count: int) -> list[dict[str, float]]:
        progress = min(1.0, count // self.period * self.period / self.total_steps)
        return [
            {"lr": base * curve(progress)} for base, curve in zip(self.base_lrs, self.curves, strict=True)
        ]


def _check(what: str, target_factor: float) -> None:
    if not target_factor > 0:
        raise ValueError(f"{what}: target_factor is {target_factor}, expected above 0")
