"""Modules on arrays: traced and planned once per kind of input, then only run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastcnn import _clock
from fastcnn._arrays import Array, as_array
from fastcnn.tensor import Tensor, run
from fastcnn.trace import Argument, Compiled, Scope, trace

if TYPE_CHECKING:
    from fastcnn.nn.module import Module

_MAX_PLANS = 16  # kept per module and training state; the oldest goes first


class PlanCache:
    """What a module was compiled to, by training state and inputs; emptied when its structure changes."""

    def __init__(self) -> None:
        self._checked = -1  # _clock.now when structure was last compared
        self._structure: tuple[Any, ...] = ()
        self._by_flags: dict[tuple[bool, ...], dict[Any, Compiled]] = {}
        self._current: dict[Any, Compiled] = {}

    def plans(self, modules: Sequence[Module]) -> dict[Any, Compiled]:
        """Those that hold for these modules as they are now."""
        if self._checked != _clock.now:
            structure, flags = structure_of(modules)
            if structure != self._structure:
                self._by_flags.clear()
                self._structure = structure
            self._current = self._by_flags.setdefault(flags, {})
            self._checked = _clock.now
        return self._current

    def add(self, modules: Sequence[Module], key: Any, compiled: Compiled) -> None:
        """Keeps a plan that was just traced (forward may have touched the modules meanwhile)."""
        plans = self.plans(modules)
        while len(plans) >= _MAX_PLANS:
            del plans[next(iter(plans))]
        plans[key] = compiled


def structure_of(modules: Sequence[Module]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """(versions, training flags) of all modules and parameters below."""
    versions: list[int] = []
    flags: list[bool] = []
    for root in modules:
        for module in root.modules():
            versions.append(module._version)
            versions.extend(p._version for p in module._own_parameters())
            flags.append(module.training)
    return tuple(versions), tuple(flags)


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
    arrays, key = read_arguments(inputs)
    cache = module._plan_cache()
    compiled = cache.plans((module,)).get(key)
    if compiled is None:
        compiled = trace(
            lambda *symbols: symbols[0]._tracer.call(module, symbols),
            describe_arguments(module, inputs, arrays),
            scope=Scope(("", module)),
            dtype=module.dtype,
            training=module.training,
        )
        cache.add((module,), key, compiled)
    return run(compiled, inputs, arrays)
