"""Adam, and AdamW whose weight decay is apart from the gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastcnn import _core
from fastcnn.engine.parameter import Parameter
from fastcnn.optim.optimizer import Optimizer, ParamGroup


class Adam(Optimizer):
    """m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'²;
    w -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)  with g' = g + weight_decay w.

    As PyTorch writes it [Kingma and Ba, "Adam: a method for stochastic optimization", 2015]; t counts the
    updates of a parameter, from 1. Parameters without a gradient stay.

    Args:
        params: Parameters, or dicts with "params" and settings that differ from the ones given here.
        lr: learning rate, at least 0.
        betas: shares of m and v that are kept, each in [0, 1).
        eps: at least 0.
        weight_decay: lambda of the penalty lambda/2 |w|², at least 0.
        amsgrad: the largest v so far takes the place of v [Reddi, Kale and Kumar, "On the convergence of Adam
            and beyond", 2018].

    Raises:
        ValueError: a setting out of its range, no parameters, or one of them given twice.
        TypeError: something else than Parameters.

    Attributes:
        param_groups: a dict per group: "params" and the settings.
    """

    _core_type = _core.Adam
    _decoupled = False
    _counts_steps = True

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, defaults)

    def _core_settings(self, group: ParamGroup) -> tuple[Any, ...]:
        weight_decay, amsgrad = group["weight_decay"], group["amsgrad"]
        return (group["lr"], *group["betas"], group["eps"], weight_decay, self._decoupled, amsgrad)

    def _checked(self, settings: ParamGroup) -> ParamGroup:
        self._check_not_negative(settings, "lr", "eps", "weight_decay")
        betas = settings["betas"]
        if (
            not isinstance(betas, (list, tuple))
            or len(betas) != 2
            or not all(0 <= beta < 1 for beta in betas)
        ):
            raise ValueError(f"{self._name}: betas is {betas}, expected two numbers in [0, 1)")
        return {**settings, "betas": tuple(betas)}


class AdamW(Adam):
    """Adam with w *= 1 - lr weight_decay before each update, and g' = g.

    As PyTorch writes it [Loshchilov and Hutter, "Decoupled weight decay regularization", 2019]. Arguments,
    errors and attributes are Adam's.
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
