"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fastcnn import _core
from fastcnn.engine.parameter import Parameter
from fastcnn.optim.optimizer import Optimizer, ParamGroup


class SGD(Optimizer):
    """g' = g + weight_decay w;  v = momentum v + g';  w -= lr v, or with Nesterov lr (g' + momentum v).

    As PyTorch writes it. With `lr_in_velocity`, as cuda-convnet and AlexNet's paper have it [Krizhevsky et
    al. 2012, section 5]:  v = momentum v + lr g';  w -= v, or with Nesterov lr g' + momentum v. The two are
    one while lr is constant; when it falls, here the old steps keep their size and die out. Parameters
    without a gradient stay.

    Groups give layers, or the weights of each input of a layer, settings of their own: cuda-convnet's epsW
    and epsB are `lr`, momW and momB `momentum`, wc `weight_decay`, wball `filter_norm`. lr=0 keeps parameters
    as they are; to save the computation of their gradients, too, set `requires_grad` False.

    Args:
        params: Parameters, or dicts with "params" and settings that differ from the ones given here.
        lr: learning rate, at least 0.
        momentum: share of v that is kept, in [0, 1].
        weight_decay: lambda of the penalty lambda/2 |w|², at least 0.
        nesterov: looks ahead; needs momentum.
        lr_in_velocity: the learning rate is part of v.
        filter_norm: where above 0, after each update the weights of every filter or unit, w[i], are scaled to
            this Euclidean norm; for weights of linear layers and convolutions, not locally connected ones.

    Raises:
        ValueError: a setting out of its range, no parameters, or one of them given twice.
        TypeError: something else than Parameters.

    Attributes:
        param_groups: a dict per group: "params" and the settings.
    """

    _core_type = _core.Sgd
    _absent: ClassVar[Mapping[str, Any]] = {"lr_in_velocity": False, "filter_norm": 0.0}

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        lr_in_velocity: bool = False,
        filter_norm: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "lr_in_velocity": lr_in_velocity,
            "filter_norm": filter_norm,
        }
        super().__init__(params, defaults)

    def _group(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> ParamGroup:
        group = super()._group(given, defaults)
        others = [p.shape for p in group["params"] if not 2 <= len(p.shape) <= 4]
        if group["filter_norm"] > 0 and others:
            raise ValueError(
                "SGD: filter_norm needs weights of filters or units, (c_out, ...) of rank 2 to 4, "
                f"got shape {others[0]}"
            )
        return group

    def _checked(self, settings: ParamGroup) -> ParamGroup:
        self._check_not_negative(settings, "lr", "momentum", "weight_decay", "filter_norm")
        if settings["momentum"] > 1:
            raise ValueError(f"SGD: momentum is {settings['momentum']}, expected at most 1")
        if settings["nesterov"] and settings["momentum"] == 0:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        return settings
