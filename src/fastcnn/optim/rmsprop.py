"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastcnn import _core
from fastcnn.engine.parameter import Parameter
from fastcnn.optim.optimizer import Optimizer, ParamGroup


class RMSprop(Optimizer):
    """s = alpha s + (1 - alpha) g'²;  w -= lr g' / (sqrt(s) + eps)  with g' = g + weight_decay w.

    As PyTorch writes it [Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, 2012].
    With momentum,  b = momentum b + g' / (sqrt(s) + eps);  w -= lr b. Parameters without a gradient stay.

    Args:
        params: Parameters, or dicts with "params" and settings that differ from the ones given here.
        lr: learning rate, at least 0.
        alpha: share of s that is kept, in [0, 1].
        eps: at least 0.
        weight_decay: lambda of the penalty lambda/2 |w|², at least 0.
        momentum: share of b that is kept, at least 0.
        centered: the variance s - a² takes the place of s, with a = alpha a + (1 - alpha) g' [Graves,
            "Generating sequences with recurrent neural networks", 2013].

    Raises:
        ValueError: a setting out of its range, no parameters, or one of them given twice.
        TypeError: something else than Parameters.

    Attributes:
        param_groups: a dict per group: "params" and the settings.
    """

    _core_type = _core.Rmsprop

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
        }
        super().__init__(params, defaults)

    def _checked(self, settings: ParamGroup) -> ParamGroup:
        self._check_not_negative(settings, "lr", "alpha", "eps", "weight_decay", "momentum")
        if settings["alpha"] > 1:
            raise ValueError(f"RMSprop: alpha is {settings['alpha']}, expected at most 1")
        return settings
