"""Numbers that are not finite, and where they began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn._arrays import Array
from fastcnn.engine.arguments import describe_arguments
from fastcnn.engine.compiled import Compiled
from fastcnn.engine.module import Module as AnyModule
from fastcnn.engine.symbol import InputSymbol, Symbol
from fastcnn.engine.tracer import Scope, Tracer
from fastcnn.nn.module import Module


class NonFiniteError(FloatingPointError):
    """A loss or a gradient is NaN or infinite. Nothing was updated by that step.

    Attributes:
        step: number of the step, from 1.
        where: what was the first that is not finite, such as "the output of fc2".
    """

    def __init__(self, message: str, step: int, where: str) -> None:
        super().__init__(message)
        self.step = step
        self.where = where


def first_nonfinite(
    model: Module, x: Sequence[Any], arrays: Sequence[Array], random_step: tuple[int, int]
) -> str:
    """Where in a forward pass in training mode the first number that is not finite is, in words.

    The pass is run once more, layer by layer, with its random numbers (seed, step). Parameters and inputs are
    looked at first: what a layer makes of them need not show it.
    """
    for i, array in enumerate(arrays):
        if not _is_finite(array):
            return "the input" if len(arrays) == 1 else f"input {i}"
    broken = {name: p for name, p in model.named_state() if not _is_finite(p.value)}
    recorder = _Recorder(Scope(("", model)), model.dtype)
    described = describe_arguments(model, x, arrays)
    recorder.call_model(model, tuple(InputSymbol(recorder, i, a) for i, a in enumerate(described)))
    names, symbols = [name for name, _ in recorder.seen], [symbol for _, symbol in recorder.seen]
    compiled = Compiled(recorder, symbols, [False] * len(symbols), list, False)
    buffers = {name: np.array(b.value) for name, b in model.named_buffers()}
    outputs = compiled.acquire().run([arrays[i] for i in compiled.feeds], *random_step)
    for name, buffer in model.named_buffers():
        buffer.value[...] = buffers[name]
    for name, output in zip(names, outputs, strict=True):
        if not _is_finite(output):
            own = [path for path in broken if path.rpartition(".")[0] == name]
            return f"the output of {name}" + (f", whose {own[0].rpartition('.')[2]} is not" if own else "")
    return next(iter(broken)) if broken else "the loss"


def check_weights(model: Module, step: int) -> None:
    """Raises NonFiniteError, which names the first, where a weight or running statistic is not finite."""
    for name, value in model.named_state():
        if not _is_finite(value.value):
            raise NonFiniteError(f"step {step}: {name} is not finite after it", step, name)


class _Recorder(Tracer):
    """Keeps what every layer, a module without children, returns."""

    def __init__(self, scope: Scope, dtype: str | None) -> None:
        super().__init__(scope, dtype, training=True)
        self.seen: list[tuple[str, Symbol]] = []

    def call(self, module: AnyModule, inputs: tuple[Any, ...]) -> Any:
        output = super().call(module, inputs)
        if next(module.children(), None) is None:
            values = output if isinstance(output, (tuple, list)) else (output,)
            name = self.scope.module_name(module)
            self.seen += [(name, value) for value in values if isinstance(value, Symbol)]
        return output


def _is_finite(array: Array) -> bool:
    return bool(np.isfinite(array).all()) if array.dtype.kind == "f" else True
