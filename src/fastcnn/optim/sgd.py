"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastcnn import _core
from fastcnn.engine.parameter import Parameter

ParamGroup = dict[str, Any]  # "params" and the settings

_SETTINGS = ("lr", "momentum", "weight_decay", "nesterov", "lr_in_velocity", "filter_norm")
_ABSENT = {"lr_in_velocity": False, "filter_norm": 0.0}  # of states saved before there were these settings


class SGD:
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
        given: list[Any] = list(params)
        if not given:
            raise ValueError("SGD: no parameters to optimise")
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        self.param_groups = [_group(group, defaults) for group in groups]
        everything = self._parameters()
        if len({id(p) for p in everything}) < len(everything):
            raise ValueError("SGD: a parameter was given twice")
        self._cores = [p._core for p in everything]
        self._core = _core.Sgd([[p._core for p in group["params"]] for group in self.param_groups])

    def step(self) -> None:
        """Updates every parameter that has a gradient."""
        self._prepared().step()

    def zero_grad(self) -> None:
        """Drops the gradients of all parameters."""
        self._core.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """A copy of the settings and velocities.

        Returns:
            "param_groups": settings per group, with "params" the numbers of its parameters;
            "velocity": arrays by parameter number, where momentum has made one.
        """
        groups = []
        first = 0
        for group in self.param_groups:
            count = len(group["params"])
            settings = {name: group[name] for name in _SETTINGS}
            groups.append({**settings, "params": list(range(first, first + count))})
            first += count
        velocities = {i: self._core.velocity(i) for i in range(first)}
        return {
            "param_groups": groups,
            "velocity": {i: np.array(v, order="C") for i, v in velocities.items() if v is not None},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over settings and velocities; all or, when it raises, nothing.

        Raises:
            ValueError: another number of groups or parameters, or a velocity of another shape.
        """
        own = [len(group["params"]) for group in self.param_groups]
        other = [len(group["params"]) for group in state["param_groups"]]
        if own != other:
            raise ValueError(f"SGD.load_state_dict: groups of {other} parameters, expected {own}")
        velocities = {int(i): np.asarray(v) for i, v in state["velocity"].items()}
        parameters = self._parameters()
        for i, velocity in velocities.items():
            if not 0 <= i < len(parameters):
                raise ValueError(
                    f"SGD.load_state_dict: velocity of parameter {i}, there are {len(parameters)}"
                )
            if velocity.shape != parameters[i].shape:
                raise ValueError(
                    f"SGD.load_state_dict: velocity of parameter {i} has shape {velocity.shape}, "
                    f"expected {parameters[i].shape}"
                )
        saved = [{**_ABSENT, **group} for group in state["param_groups"]]
        settings = [_checked({name: group[name] for name in _SETTINGS}) for group in saved]
        for group, new in zip(self.param_groups, settings, strict=True):
            group.update(new)
        for i in range(len(parameters)):
            self._core.set_velocity(i, velocities.get(i))

    def _parameters(self) -> list[Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _prepared(self) -> _core.Sgd:
        """The core's part with the settings as they are now."""
        for core, parameter in zip(self._cores, self._parameters(), strict=True):
            if core is not parameter._core:
                raise RuntimeError("SGD: a parameter changed its type; make the optimiser after Module.to")
        for i, group in enumerate(self.param_groups):
            self._core.configure(i, *(group[name] for name in _SETTINGS))
        return self._core

    def __repr__(self) -> str:
        groups = (", ".join(f"{k}={group[k]}" for k in _SETTINGS) for group in self.param_groups)
        return f"SGD({'; '.join(groups)})"


def _group(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> ParamGroup:
    if "params" not in given:
        raise ValueError('SGD: a parameter group has no "params"')
    unknown = set(given) - set(defaults) - {"params"}
    if unknown:
        raise ValueError(f"SGD: unknown settings {sorted(unknown)}; known are {', '.join(_SETTINGS)}")
    params = given["params"]
    members: list[Any] = [params] if isinstance(params, Parameter) else list(params)
    for member in members:
        if not isinstance(member, Parameter):
            raise TypeError(f"SGD: expected Parameters, got {type(member).__name__}")
    settings = _checked({name: given.get(name, default) for name, default in defaults.items()})
    others = [member.shape for member in members if not 2 <= len(member.shape) <= 4]
    if settings["filter_norm"] > 0 and others:
        raise ValueError(
            "SGD: filter_norm needs weights of filters or units, (c_out, ...) of rank 2 to 4, "
            f"got shape {others[0]}"
        )
    return {"params": members, **settings}


def _checked(settings: ParamGroup) -> ParamGroup:
    for name in ("lr", "momentum", "weight_decay", "filter_norm"):
        if not settings[name] >= 0:
            raise ValueError(f"SGD: {name} is {settings[name]}, expected at least 0")
    if settings["momentum"] > 1:
        raise ValueError(f"SGD: momentum is {settings['momentum']}, expected at most 1")
    if settings["nesterov"] and settings["momentum"] == 0:
        raise ValueError("SGD: nesterov needs a momentum above 0")
    return settings
