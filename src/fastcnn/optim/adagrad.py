"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastcnn import _core
from fastcnn.engine.parameter import Parameter
from fastcnn.optim.optimizer import Optimizer, ParamGroup


class Adagrad(Optimizer):
    """s += g'²;  w -= lr / (1 + (t - 1) lr_decay) g' / (sqrt(s) + eps)  with g' = g + weight_decay w.

    As PyTorch writes it [Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", 2011]; t counts the updates of a parameter, from 1. Parameters without a
    gradient stay.

    Args:
        params: Parameters, or dicts with "params" and settings that differ from the ones given here.
        lr: learning rate, at least 0.
        lr_decay: at least 0.
        weight_decay: lambda of the penalty lambda/2 |w|², at least 0.
        initial_accumulator_value: what s begins with, at least 0.
        eps: at least 0.

    Raises:
        ValueError: a setting out of its range, no parameters, or one of them given twice.
        TypeError: something else than Parameters.

    Attributes:
        param_groups: a dict per group: "params" and the settings.
    """

    _core_type = _core.Adagrad
    _counts_steps = True

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        super().__init__(params, defaults)

    def _checked(self, settings: ParamGroup) -> ParamGroup:
        self._check_not_negative(settings, *settings)
        return settings
