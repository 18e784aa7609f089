"""Modules on arrays: traced and planned once per kind of input, then only run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _clock, _core
from fastcnn.engine.arguments import describe_arguments, flatten, read_arguments, unflatten
from fastcnn.engine.compiled import Compiled, trace
from fastcnn.engine.module import Module
from fastcnn.engine.parameter import Parameter
from fastcnn.engine.tensor import run
from fastcnn.engine.tracer import Scope

_MAX_PLANS = 16  # kept per module and training state; the oldest goes first


class PlanCache:
    """What some modules together were compiled to, by training state, policy and inputs.

    Plans hold while no module or parameter below changes, for the policy (GEMM provider, allowed algorithms)
    that they were made under. Seeing that is two comparisons while nothing anywhere changes (_clock), and one
    per module and parameter otherwise: making a criterion costs little, and no plan.
    """

    def __init__(self, *roots: Module) -> None:
        self._roots = roots
        self._checked = (-1, -1)  # _clock.now and the policy when versions were last compared
        self._modules: list[Module] = []
        self._watched: list[Module | Parameter] = []
        self._versions: list[int] = []
        self._by_flags: dict[tuple[int, ...], dict[Any, Compiled]] = {}
        self._current: dict[Any, Compiled] = {}

    def plans(self) -> dict[Any, Compiled]:
        """Those that hold for the modules as they are now."""
        now = (_clock.now, _core.policy())
        if self._checked != now:
            if not self._watched or [item._version for item in self._watched] != self._versions:
                self._watch()
            flags = (now[1], *(module.training for module in self._modules))
            self._current = self._by_flags.setdefault(flags, {})
            self._checked = now
        return self._current

    def add(self, key: Any, compiled: Compiled) -> None:
        """Keeps a plan that was just traced; forward may have touched the modules meanwhile."""
        plans = self.plans()
        while len(plans) >= _MAX_PLANS:
            del plans[next(iter(plans))]
        plans[key] = compiled

    def _watch(self) -> None:
        self._by_flags.clear()
        self._modules = [module for root in self._roots for module in root.modules()]
        state = [value for root in self._roots for _, value in root.named_state()]
        self._watched = [*self._modules, *state]
        self._versions = [item._version for item in self._watched]


def call_module(module: Module, cache: PlanCache, inputs: Sequence[Any]) -> Any:
    """A module on arrays: traced and planned at the first call of its kind, then only run."""
    if not inputs:
        raise TypeError(f"{type(module).__name__}: expected at least one input")
    values, form = flatten(inputs)
    arrays, key = read_arguments(values)
    key = key if form is None else (form, key)
    compiled = cache.plans().get(key)
    if compiled is None:
        compiled = trace(
            lambda *symbols: symbols[0]._tracer.call_model(module, tuple(unflatten(symbols, form))),
            describe_arguments(module, values, arrays, form),
            scope=Scope(("", module)),
            dtype=module.dtype,
            training=module.training,
        )
        cache.add(key, compiled)
    return run(compiled, values, arrays)
