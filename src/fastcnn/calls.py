"""Modules on arrays: traced and planned once per kind of input, then only run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastcnn import _clock, _core
from fastcnn._arrays import Array, as_array
from fastcnn.nn.parameter import Parameter
from fastcnn.tensor import Tensor, run
from fastcnn.trace import Argument, Compiled, Scope, trace

if TYPE_CHECKING:
    from fastcnn.nn.module import Module

_MAX_PLANS = 16  # kept per module and training state; the oldest goes first


class PlanCache:
    """What some modules together were compiled to, by training state and inputs.

    Plans hold while no module or parameter below changes. Seeing that is one comparison while nothing
    anywhere changes (_clock), and one per module and parameter otherwise: making a criterion costs little,
    and no plan.
    """

    def __init__(self, *roots: Module) -> None:
        self._roots = roots
        self._checked = -1  # _clock.now when versions were last compared
        self._modules: list[Module] = []
        self._watched: list[Module | Parameter] = []
        self._versions: list[int] = []
        self._by_flags: dict[tuple[str | bool, ...], dict[Any, Compiled]] = {}
        self._current: dict[Any, Compiled] = {}

    def plans(self) -> dict[Any, Compiled]:
        """Those that hold for the modules as they are now."""
        now = _clock.now
        if self._checked != now:
            if not self._watched or [item._version for item in self._watched] != self._versions:
                self._watch()
            flags: tuple[str | bool, ...] = (
                _core.conv_algorithms(),
                *(module.training for module in self._modules),
            )
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


def read_arguments(inputs: Sequence[Any]) -> tuple[list[Array], tuple[Any, ...]]:
    """The arrays, and what of them a plan depends on."""
    arrays: list[Array] = []
    key: list[tuple[Any, ...]] = []
    for value in inputs:
        if isinstance(value, Tensor):
            array = value._array
            key.append((array.shape, array.dtype.num, value.requires_grad))
        else:
            array = as_array(value)
            key.append((array.shape, array.dtype.num, False))
        arrays.append(array)
    return arrays, tuple(key)


def describe_arguments(module: Module, inputs: Sequence[Any], arrays: Sequence[Array]) -> list[Argument]:
    """Named as forward names them."""
    code = getattr(type(module).forward, "__code__", None)
    names = list(code.co_varnames[1 : code.co_argcount]) if code else []
    names = names[: len(inputs)] + [f"input{i}" for i in range(len(names), len(inputs))]
    return [
        Argument(name, array.shape, array.dtype.name, isinstance(value, Tensor) and value.requires_grad)
        for name, value, array in zip(names, inputs, arrays, strict=True)
    ]


def call_module(module: Module, inputs: Sequence[Any]) -> Any:
    """A module on arrays: traced and planned at the first call of its kind, then only run."""
    if not inputs:
        raise TypeError(f"{type(module).__name__}: expected at least one input")
    arrays, key = read_arguments(inputs)
    cache = module._plan_cache()
    compiled = cache.plans().get(key)
    if compiled is None:
        compiled = trace(
            lambda *symbols: symbols[0]._tracer.call(module, symbols),
            describe_arguments(module, inputs, arrays),
            scope=Scope(("", module)),
            dtype=module.dtype,
            training=module.training,
        )
        cache.add(key, compiled)
    return run(compiled, inputs, arrays)
