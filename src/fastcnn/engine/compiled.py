"""Plans of what was traced, and the executors that run them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastcnn import _core
from fastcnn.engine.module import Module
from fastcnn.engine.symbol import Argument, InputSymbol, Symbol
from fastcnn.engine.tracer import Scope, Tracer, flatten_outputs

if TYPE_CHECKING:
    from fastcnn.engine.step_times import RunReport


class Compiled:
    """A plan and the executors that run it: idle ones wait here, without memory of their own.

    Attributes:
        feeds: for each input of the plan, which argument it is.
        wanted: for each gradient that backward returns, which argument it belongs to.
        requires_grad: per output.
        reported: names of the values that a training step returns after its loss and output.
        rebuild: the outputs in the form that forward returned them.
    """

    def __init__(
        self,
        tracer: Tracer,
        outputs: Sequence[Symbol],
        seeded: Sequence[bool],
        rebuild: Callable[..., Any],
        applies_gradients: bool,
    ) -> None:
        for symbol, seed in zip(outputs, seeded, strict=True):
            tracer.graph.output(symbol._read(symbol.dtype == "int64"), seed)
        self.plan = _core.Plan(tracer.graph, tracer.training, applies_gradients)
        self.feeds = tracer.feeds
        self.wanted = tracer.wanted
        self.reported = list(tracer.reported)
        self.is_random = tracer.training and tracer.random_streams > 0
        self._counters = tracer.counters if tracer.training else []
        self.requires_grad = list(seeded)
        self.differentiable = any(seeded)
        self.rebuild = rebuild
        self._idle: list[_core.Executor] = []
        self._report: RunReport | None = None
        if os.environ.get("FASTCNN_TRACE", "0") not in ("", "0"):
            from fastcnn.engine.step_times import RunReport  # dataclasses and json cost milliseconds

            print(self.plan.explain(), file=sys.stderr)
            self._report = RunReport(self.plan)

    def acquire(self) -> _core.Executor:
        try:
            return self._idle.pop()
        except IndexError:
            executor = _core.Executor(self.plan)
            executor.set_timing(self._report is not None)
            return executor

    def release(self, executor: _core.Executor) -> None:
        if self._report is not None:
            self._report.add(executor)
        executor.release()
        self._idle.append(executor)

    def count_run(self) -> None:
        """To be called after each forward pass."""
        for counter in self._counters:
            counter.value[...] += 1


def trace(
    function: Callable[..., Any],
    arguments: Sequence[Argument],
    *,
    scope: Scope,
    dtype: str | None,
    training: bool,
    is_training_step: bool = False,
    applies_gradients: bool = False,
) -> Compiled:
    """Runs `function` on symbols and plans what it did.

    Args:
        function: takes one symbol per argument; returns a symbol, or a tuple or list of them.
        dtype: the model's floating-point type; None: that of its inputs.
        is_training_step: backward starts from the first output alone.
        applies_gradients: backward updates parameters on its way instead of leaving their gradients.

    Raises:
        TypeError: function returns something else.
    """
    tracer = Tracer(scope, dtype, training)
    result = function(*(InputSymbol(tracer, i, argument) for i, argument in enumerate(arguments)))
    outputs, rebuild = flatten_outputs(result, tracer)
    seeded = [symbol._requires_grad for symbol in outputs]
    if is_training_step:
        seeded[1:] = [False] * (len(seeded) - 1)
    return Compiled(tracer, outputs, seeded, rebuild, applies_gradients)


def trace_training_step(
    model: Module,
    criterion: Module,
    x: Sequence[Argument],
    y: Argument | Sequence[Argument],
    applies_gradients: bool = True,
) -> Compiled:
    """The plan of model, criterion and update together; the loss is output 0, the first value that the model
    returns 1, and what the criterion reports follows.

    Args:
        x: the inputs of the model.
        y: the target, or several, which the criterion reads as a tuple.
        applies_gradients: without it there is no update: backward leaves gradients in the parameters.

    Raises:
        TypeError: the model returns no value, or the criterion not one.
        RuntimeError: no parameter of the model requires a gradient.
    """

    def forward(*symbols: Symbol) -> tuple[Symbol, ...]:
        tracer = symbols[0]._tracer
        output = tracer.call_model(model, symbols[: len(x)])
        values = output if isinstance(output, (tuple, list)) else (output,)
        if not values or not all(isinstance(value, Symbol) for value in values):
            raise TypeError(
                f"the model returned {type(output).__name__}, expected a value or a tuple of them"
            )
        targets = symbols[len(x) :]
        loss = tracer.call(criterion, (output, targets[0] if isinstance(y, Argument) else targets))
        return loss, values[0], *tracer.reported.values()

    compiled = trace(
        forward,
        [*x, *([y] if isinstance(y, Argument) else y)],
        scope=Scope(("", model), ("criterion", criterion)),
        dtype=model.dtype,
        training=True,
        is_training_step=True,
        applies_gradients=applies_gradients,
    )
    if not compiled.differentiable:
        raise RuntimeError("no parameter of the model requires a gradient")
    return compiled
