"""What all optimisers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from fastcnn._arrays import Array
from fastcnn._core import Adagrad, Adam, Rmsprop, Sgd
from fastcnn.engine.parameter import Parameter

ParamGroup = dict[str, Any]  # "params" and the settings
_Core = Sgd | Adam | Rmsprop | Adagrad
_STEP = "step"


class Optimizer:
    """Updates parameters by their gradients, each group of them with settings of its own.

    A class of its own for each rule: `SGD`, `Adam`, `AdamW`, `RMSprop`, `Adagrad`.

    Attributes:
        param_groups: a dict per group: "params" and the settings. They may be changed between steps.
    """

    _core_type: ClassVar[type[_Core]]  # made of the groups' parameters
    _counts_steps: ClassVar[bool] = False  # whether updates depend on how many there were
    _absent: ClassVar[Mapping[str, Any]] = {}  # of states saved before there were these settings
    _core: _Core

    def __init__(
        self, params: Iterable[Parameter] | Iterable[Mapping[str, Any]], defaults: Mapping[str, Any]
    ) -> None:
        self._settings = tuple(defaults)
        given: list[Any] = list(params)
        if not given:
            raise ValueError(f"{self._name}: no parameters to optimise")
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        self.param_groups = [self._group(group, defaults) for group in groups]
        everything = self._parameters()
        if len({id(p) for p in everything}) < len(everything):
            raise ValueError(f"{self._name}: a parameter was given twice")
        self._cores = [p._core for p in everything]
        self._core = self._core_type([[p._core for p in group["params"]] for group in self.param_groups])

    def step(self) -> None:
        """Updates every parameter that has a gradient."""
        self._prepared().step()

    def zero_grad(self) -> None:
        """Drops the gradients of all parameters."""
        self._core.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """A copy of the settings and of what is kept of each parameter.

        Returns:
            "param_groups": settings per group, with "params" the numbers of its parameters; and for each name
            of a state, such as "velocity" or "exp_avg", arrays by parameter number, where updates have made
            one. Where the count of updates matters, it is the state "step".
        """
        groups = []
        first = 0
        for group in self.param_groups:
            count = len(group["params"])
            settings = {name: group[name] for name in self._settings}
            groups.append({**settings, "params": list(range(first, first + count))})
            first += count
        state: dict[str, Any] = {"param_groups": groups}
        for name in self._state_names():
            arrays = {i: self._state(i, name) for i in range(first)}
            state[name] = {i: np.array(a, order="C") for i, a in arrays.items() if a is not None}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over settings and states; all or, when it raises, nothing.

        Raises:
            ValueError: another number of groups or parameters, a state of another shape, or the state of
                another kind of optimiser.
        """
        what = f"{self._name}.load_state_dict"
        own = [len(group["params"]) for group in self.param_groups]
        other = [len(group["params"]) for group in state["param_groups"]]
        if own != other:
            raise ValueError(f"{what}: groups of {other} parameters, expected {own}")
        saved = [{**self._absent, **group} for group in state["param_groups"]]
        for group in saved:
            if set(group) - {"params"} != set(self._settings):
                raise ValueError(
                    f"{what}: the state is another optimiser's, whose settings are "
                    f"{', '.join(name for name in group if name != 'params')}; "
                    f"expected {', '.join(self._settings)}"
                )
        unknown = {name for name in state if state[name]} - {"param_groups", *self._state_names()}
        if unknown:
            raise ValueError(
                f"{what}: the state is another optimiser's, with {', '.join(sorted(unknown))}; "
                f"expected {', '.join(self._state_names())}"
            )
        arrays = {name: self._checked_arrays(what, name, state.get(name, {})) for name in self._state_names()}
        settings = [self._checked({name: group[name] for name in self._settings}) for group in saved]
        for group, new in zip(self.param_groups, settings, strict=True):
            group.update(new)
        for name, found in arrays.items():
            for i in range(len(self._cores)):
                self._set_state(i, name, found.get(i))

    def forget(self, parameters: Iterable[Parameter]) -> None:
        """Drops what is kept of these parameters, as if they had not been updated; others than its own are
        left out."""
        forgotten = {id(parameter) for parameter in parameters}
        for i, parameter in enumerate(self._parameters()):
            if id(parameter) in forgotten:
                for name in self._state_names():
                    self._set_state(i, name, None)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _core_settings(self, group: ParamGroup) -> tuple[Any, ...]:
        """In the core's order."""
        return tuple(group[name] for name in self._settings)

    def _checked(self, settings: ParamGroup) -> ParamGroup:
        """The settings, or ValueError for one out of its range."""
        raise NotImplementedError

    def _check_not_negative(self, settings: ParamGroup, *names: str) -> None:
        for name in names:
            if not settings[name] >= 0:
                raise ValueError(f"{self._name}: {name} is {settings[name]}, expected at least 0")

    def _state_names(self) -> list[str]:
        return [*self._core.state_names, *([_STEP] if self._counts_steps else [])]

    def _state(self, index: int, name: str) -> Array | None:
        if name != _STEP:
            return self._core.state(index, name)
        steps = self._core.steps(index)
        return np.array(steps, np.int64) if steps else None

    def _set_state(self, index: int, name: str, array: Array | None) -> None:
        if name == _STEP:
            self._core.set_steps(index, 0 if array is None else int(array))
        else:
            self._core.set_state(index, name, array)

    def _checked_arrays(self, what: str, name: str, given: Mapping[Any, Any]) -> dict[int, Array]:
        arrays = {int(i): np.asarray(array) for i, array in given.items()}
        parameters = self._parameters()
        for i, array in arrays.items():
            if not 0 <= i < len(parameters):
                raise ValueError(f"{what}: {name} of parameter {i}, there are {len(parameters)}")
            expected = () if name == _STEP else parameters[i].shape
            if array.shape != expected:
                raise ValueError(
                    f"{what}: {name} of parameter {i} has shape {array.shape}, expected {expected}"
                )
        return arrays

    def _parameters(self) -> list[Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _prepared(self) -> _Core:
        """The core's part with the settings as they are now."""
        for core, parameter in zip(self._cores, self._parameters(), strict=True):
            if core is not parameter._core:
                raise RuntimeError(
                    f"{self._name}: a parameter changed its type; make the optimiser after Module.to"
                )
        for i, group in enumerate(self.param_groups):
            self._core.configure(i, *self._core_settings(group))
        return self._core

    def _group(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> ParamGroup:
        if "params" not in given:
            raise ValueError(f'{self._name}: a parameter group has no "params"')
        unknown = set(given) - set(defaults) - {"params"}
        if unknown:
            known = ", ".join(defaults)
            raise ValueError(f"{self._name}: unknown settings {sorted(unknown)}; known are {known}")
        params = given["params"]
        members: list[Any] = [params] if isinstance(params, Parameter) else list(params)
        for member in members:
            if not isinstance(member, Parameter):
                raise TypeError(f"{self._name}: expected Parameters, got {type(member).__name__}")
        settings = self._checked({name: given.get(name, default) for name, default in defaults.items()})
        return {"params": members, **settings}

    def __repr__(self) -> str:
        groups = (", ".join(f"{k}={group[k]}" for k in self._settings) for group in self.param_groups)
        return f"{self._name}({'; '.join(groups)})"
