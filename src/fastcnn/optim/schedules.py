"""The usual schedules, under PyTorch's names and with its values."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable

from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.schedule import Schedule, check_count


class StepLR(Schedule):
    """base · gamma^floor(count / step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        check_count("StepLR", step_size=step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        return base_lr * self.gamma ** (count // self.step_size)


class MultiStepLR(Schedule):
    """base · gamma^(milestones reached)."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        reached: int = bisect_right(self.milestones, count)
        return base_lr * self.gamma**reached


class ConstantLR(Schedule):
    """base · factor until `total_iters`, then base."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        check_factor("ConstantLR", "factor", factor)
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        return base_lr * (self.factor if count < self.total_iters else 1.0)


class LinearLR(Schedule):
    """base times a factor that goes on a line from `start_factor` to `end_factor`, then stays: warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        check_factor("LinearLR", "start_factor", start_factor)
        check_factor("LinearLR", "end_factor", end_factor)
        check_count("LinearLR", total_iters=total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        done = min(count, self.total_iters) / self.total_iters
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class ExponentialLR(Schedule):
    """base · gamma^count."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        return base_lr * self.gamma**count


class PolynomialLR(Schedule):
    """base · (1 - count / total_iters)^power, then 0."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        check_count("PolynomialLR", total_iters=total_iters)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        left: float = 1.0 - min(count, self.total_iters) / self.total_iters
        return float(base_lr * left**self.power)


class CosineAnnealingLR(Schedule):
    """eta_min + (base - eta_min) (1 + cos(pi count / T_max)) / 2 [Loshchilov, Hutter 2017, no restarts]."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        check_count("CosineAnnealingLR", T_max=T_max)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer)

    def lr_at(self, base_lr: float, count: int) -> float:
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * count / self.T_max)) / 2


def check_factor(what: str, name: str, factor: float) -> None:
    """Raises ValueError unless in [0, 1]."""
    if not 0 <= factor <= 1:
        raise ValueError(f"{what}: {name} is {factor}, expected 0 to 1")
