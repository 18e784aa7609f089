"""From Python to a Graph: `forward` runs once on symbolic values, and each op it meets becomes a node."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from fastcnn import _core
from fastcnn.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from fastcnn.nn.module import Module
    from fastcnn.profile import RunReport


class Argument(NamedTuple):
    """What tracing needs to know of an array that will be given."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool = False


class Symbol:
    """A value of the model being traced: shape and type are known, numbers are not.

    Attributes:
        shape: logical shape, integers.
        dtype: "float32", "float64" or "int64"; of an input that no op has read yet, the type of its array.
    """

    __slots__ = ("_requires_grad", "_tracer", "_value", "dtype", "shape")

    def __init__(
        self, tracer: Tracer, value: int, shape: tuple[int, ...], dtype: str, requires_grad: bool
    ) -> None:
        self._tracer = tracer
        self._value = value
        self._requires_grad = requires_grad
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def flatten(self, start_dim: int = 1) -> Symbol:
        """Axes from `start_dim` on as one, in logical (CHW) order."""
        return self._tracer.add(_core.make_op("flatten", start_dim=start_dim), (self,))

    def __add__(self, other: Any) -> Symbol:
        if isinstance(other, (int, float)):
            return self._scaled(1.0, float(other))
        return self._tracer.add(_core.make_op("add"), (self, other))

    __radd__ = __add__

    def __mul__(self, other: Any) -> Symbol:
        if not isinstance(other, (int, float)):
            return self._tracer.add(_core.make_op("multiply"), (self, other))
        return self._scaled(float(other), 0.0)

    __rmul__ = __mul__

    def _scaled(self, a: float, b: float) -> Symbol:
        return self._tracer.add(_core.make_op("activation", function="linear", a=a, b=b), (self,))

    def _read(self, integer: bool) -> int:  # noqa: ARG002
        """The graph's value for an op that reads integers or floating-point numbers."""
        return self._value

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(
            "a symbolic value has no numbers: forward runs once, on symbols, to build the graph. Its shape "
            "and dtype are known and may decide what forward does; its elements may not"
        )

    __bool__ = __float__ = __int__ = __index__ = __array__ = __iter__ = __len__ = __getitem__ = _refuse
    numpy = item = _refuse

    def __repr__(self) -> str:
        return f"Symbol(shape={self.shape}, dtype={self.dtype})"


class InputSymbol(Symbol):
    """An argument of forward. It enters the graph when an op reads it, as the type that the op reads: so
    images may come as uint8 and labels, too."""

    __slots__ = ("_argument", "_by_type", "_name")

    def __init__(self, tracer: Tracer, argument: int, spec: Argument) -> None:
        super().__init__(tracer, _core.NO_VALUE, spec.shape, spec.dtype, spec.requires_grad)
        self._argument = argument
        self._name = spec.name
        self._by_type: dict[str, int] = {}

    def _read(self, integer: bool) -> int:
        dtype = "int64" if integer else self._tracer.floating_type(self.dtype)
        if dtype not in self._by_type:
            wanted = self._requires_grad and not integer
            value = self._tracer.graph.input(self.shape, dtype, self._name, wanted)
            self._tracer.feeds.append(self._argument)
            if wanted:
                self._tracer.wanted.append(self._argument)
            self._by_type[dtype] = value
        return self._by_type[dtype]


class Scope:
    """Where in the model tracing is: the names of modules and parameters, and of the nodes made so far."""

    def __init__(self, *roots: tuple[str, Module]) -> None:
        self._modules: dict[int, str] = {}
        self._parameters: dict[int, str] = {}
        for prefix, root in roots:
            for name, module in root.named_modules(prefix):
                self._modules.setdefault(id(module), name)
            for name, parameter in root.named_state(prefix):
                self._parameters.setdefault(id(parameter), name)
        self._path: list[tuple[str, bool]] = [("", False)]
        self._used: dict[str, int] = {}

    def enter(self, module: Module) -> None:
        is_layer = next(module.children(), None) is None
        name = self._modules.get(id(module))
        if name is None or (name == "" and is_layer):
            name = type(module).__name__.lower()
        self._path.append((name, is_layer))

    def leave(self) -> None:
        self._path.pop()

    def node_name(self, kind: str) -> str:
        """The layer's path, or that of a module that calls ops itself, and the op; repeats are numbered."""
        path, is_layer = self._path[-1]
        name = path if is_layer else f"{path}.{kind}" if path else kind
        self._used[name] = count = self._used.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    def module_name(self, module: Module) -> str:
        return self._modules.get(id(module), type(module).__name__)

    def parameter_name(self, parameter: Parameter) -> str:
        return self._parameters.get(id(parameter), "parameter")


class _Reached(Exception):  # noqa: N818
    """The module that tracing stops at has returned."""

    def __init__(self, output: Any) -> None:
        self.output = output


class Tracer:
    """Builds one graph.

    Attributes:
        feeds: for each input of the graph, which argument it is.
        wanted: for each input of the graph that asks for its gradient, which argument it is.
        random_streams: how many nodes draw random numbers.
        counters: buffers that count the runs in training.
        reported: values by name that a training step returns beside its loss.
    """

    def __init__(self, scope: Scope, dtype: str | None, training: bool) -> None:
        self.graph = _core.Graph()
        self.scope = scope
        self.training = training
        self.feeds: list[int] = []
        self.wanted: list[int] = []
        self.random_streams = 0
        self.counters: list[Buffer] = []
        self.reported: dict[str, Symbol] = {}
        self._dtype = dtype
        self._last: Module | None = None  # where tracing stops

    def floating_type(self, array_type: str) -> str:
        """What an array of that type is read as: the model's type, if it has one."""
        return self._dtype or ("float64" if array_type == "float64" else "float32")

    def next_stream(self) -> int:
        """A random stream of its own for one node."""
        self.random_streams += 1
        return self.random_streams - 1

    def call(self, module: Module, inputs: tuple[Any, ...]) -> Any:
        """module.forward, with its name known."""
        self.scope.enter(module)
        try:
            output = module.forward(*inputs)
        finally:
            self.scope.leave()
        if module is self._last:
            raise _Reached(output)
        return output

    def call_model(self, model: Module, inputs: tuple[Any, ...]) -> Any:
        """As `call`; an error of shapes adds what input the model is made for, where it was given another."""
        try:
            return self.call(model, inputs)
        except _core.ShapeError as error:
            x = inputs[0]
            made_for = model.input_shape
            if made_for is None or not isinstance(x, Symbol) or x.shape[1:] == made_for:
                raise
            expected = ", ".join(map(str, ("n", *made_for)))
            message = f"{error}. {type(model).__name__} is made for inputs ({expected})"
            raise _core.ShapeError(message) from error

    def call_until(self, module: Module, inputs: tuple[Any, ...], last: Module) -> Any:
        """What `last`, a module at or below `module`, returns first; nothing after it is traced.

        Raises:
            ValueError: it isn't called.
        """
        self._last = last
        try:
            self.call(module, inputs)
        except _Reached as reached:
            return reached.output
        raise ValueError(f"{type(module).__name__} doesn't call {self.scope.module_name(last)}")

    def add(self, op: _core.Op, inputs: Iterable[Any], integer: tuple[int, ...] = ()) -> Symbol:
        """A node; `integer` says which inputs it reads as int64. None is an absent optional input."""
        name = self.scope.node_name(op.kind)
        values: list[int] = []
        requires_grad = False
        for index, value in enumerate(inputs):
            if value is None:
                values.append(_core.NO_VALUE)
            elif isinstance(value, Parameter):
                values.append(self.graph.parameter(value._core, self.scope.parameter_name(value)))
                requires_grad = requires_grad or value.requires_grad
            elif isinstance(value, Symbol) and value._tracer is self:
                values.append(value._read(index in integer))
                requires_grad = requires_grad or (value._requires_grad and index not in integer)
            else:
                raise TypeError(f"{name}: {_why_not(value)}")
        return self._symbol(self.graph.add(op, values, name), self.training and requires_grad)

    def _symbol(self, value: int, requires_grad: bool) -> Symbol:
        return Symbol(self, value, self.graph.shape(value), self.graph.dtype(value), requires_grad)


def _why_not(value: Any) -> str:
    if isinstance(value, Symbol):
        return "a value of another call of a model came in; values live only while forward runs"
    return (
        f"inside forward an op takes values and Parameters, got {type(value).__name__}; "
        "give arrays to the model as inputs, or make them Parameters"
    )


class Compiled:
    """A plan and the executors that run it: idle ones wait here, so that a run allocates nothing.

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
            from fastcnn.profile import RunReport

            print(self.plan.explain(), file=sys.stderr)
            self._report = RunReport(self)

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
    outputs, rebuild = _flatten(result, tracer)
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


def graph_of(
    function: Callable[..., Any], arguments: Sequence[Argument], *, scope: Scope, dtype: str | None
) -> _core.Graph:
    """The graph of an inference run, one node per op as traced."""
    tracer = Tracer(scope, dtype, training=False)
    result = function(*(InputSymbol(tracer, i, argument) for i, argument in enumerate(arguments)))
    for symbol in _flatten(result, tracer)[0]:
        tracer.graph.output(symbol._read(False), False)
    return tracer.graph


def _flatten(result: Any, tracer: Tracer) -> tuple[Sequence[Symbol], Callable[..., Any]]:
    outputs: list[Any] = list(result) if isinstance(result, (tuple, list)) else [result]
    for output in outputs:
        if not isinstance(output, Symbol) or output._tracer is not tracer:
            raise TypeError(
                f"forward returned {type(output).__name__}, expected the value of an op or a tuple of them"
            )
    if isinstance(result, Symbol):
        return outputs, lambda tensors: tensors[0]
    return outputs, list if isinstance(result, list) else tuple
