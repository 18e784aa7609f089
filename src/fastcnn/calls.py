"""Modules on arrays: traced and planned once per kind of input, then only run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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


# Which arguments were tuples, and how many values each had: None for one value.
Form = tuple[int | None, ...]


def spread(inputs: Sequence[Any]) -> tuple[Sequence[Any], Form | None]:
    """The values of arguments of which some are several: tuples or lists of tensors, or tuples of arrays, as
    a loss of several outputs takes them. Numbers in tuples and lists are one array, as ever.

    Returns:
        values, and the form by which `gather` makes arguments of them again; None where each is one value.
    """
    if not any(isinstance(value, (tuple, list)) for value in inputs):
        return inputs, None
    values: list[Any] = []
    form: list[int | None] = []
    for value in inputs:
        if is_several(value):
            values += value
            form.append(len(value))
        else:
            values.append(value)
            form.append(None)
    return values, tuple(form)


def is_several(value: Any) -> bool:
    """Whether an argument is several values, as `spread` sees it."""
    if not isinstance(value, (tuple, list)) or not value:
        return False
    kinds = (Tensor, np.ndarray) if isinstance(value, tuple) else Tensor
    return all(isinstance(item, kinds) for item in value)


def gather(values: Sequence[Any], form: Form | None) -> Sequence[Any]:
    """What `spread` spread."""
    if form is None:
        return values
    arguments: list[Any] = []
    start = 0
    for count in form:
        arguments.append(values[start] if count is None else tuple(values[start : start + count]))
        start += 1 if count is None else count
    return arguments


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


def describe_arguments(
    module: Module, inputs: Sequence[Any], arrays: Sequence[Array], form: Form | None = None
) -> list[Argument]:
    """Named as forward names them; `inputs` and `arrays` as they were spread."""
    code = getattr(type(module).forward, "__code__", None)
    names = list(code.co_varnames[1 : code.co_argcount]) if code else []
    count = len(inputs) if form is None else len(form)
    names = names[:count] + [f"input{i}" for i in range(len(names), count)]
    if form is not None:
        pairs = zip(names, form, strict=True)
        names = [n if several is None else f"{n}[{i}]" for n, several in pairs for i in range(several or 1)]
    return [
        Argument(name, array.shape, array.dtype.name, isinstance(value, Tensor) and value.requires_grad)
        for name, value, array in zip(names, inputs, arrays, strict=True)
    ]


def call_module(module: Module, inputs: Sequence[Any]) -> Any:
    """A module on arrays: traced and planned at the first call of its kind, then only run."""
    if not inputs:
        raise TypeError(f"{type(module).__name__}: expected at least one input")
    values, form = spread(inputs)
    arrays, key = read_arguments(values)
    key = key if form is None else (form, key)
    cache = module._plan_cache()
    compiled = cache.plans().get(key)
    if compiled is None:
        compiled = trace(
            lambda *symbols: symbols[0]._tracer.call_model(module, tuple(gather(symbols, form))),
            describe_arguments(module, values, arrays, form),
            scope=Scope(("", module)),
            dtype=module.dtype,
            training=module.training,
        )
        cache.add(key, compiled)
    return run(compiled, values, arrays)
