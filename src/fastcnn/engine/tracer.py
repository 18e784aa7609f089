"""From Python to a Graph: `forward` runs once on symbolic values, and each op it meets becomes a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastcnn import _core
from fastcnn.engine.module import Module
from fastcnn.engine.parameter import Buffer, Parameter
from fastcnn.engine.symbol import Argument, InputSymbol, Symbol


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

    def add(self, op: _core.Op, inputs: Iterable[Any]) -> Symbol:
        """A node of one output."""
        (output,) = self.add_node(op, inputs)
        return output

    def add_node(
        self, op: _core.Op, inputs: Iterable[Any], integer: tuple[int, ...] = ()
    ) -> tuple[Symbol, ...]:
        """A node's outputs; `integer` says which inputs it reads as int64. None is an absent optional one."""
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
        outputs = self.graph.add_node(op, values, name)
        flows = self.training and requires_grad
        return tuple(self._symbol(v, flows and self.graph.dtype(v) != "int64") for v in outputs)

    def _symbol(self, value: int, requires_grad: bool) -> Symbol:
        return Symbol(self, value, self.graph.shape(value), self.graph.dtype(value), requires_grad)


def _why_not(value: Any) -> str:
    if isinstance(value, Symbol):
        return "a value of another call of a model came in; values live only while forward runs"
    return (
        f"inside forward an op takes values and Parameters, got {type(value).__name__}; "
        "give arrays to the model as inputs, or make them Parameters"
    )


def graph_of(
    function: Callable[..., Any], arguments: Sequence[Argument], *, scope: Scope, dtype: str | None
) -> _core.Graph:
    """The graph of an inference run, one node per op as traced."""
    tracer = Tracer(scope, dtype, training=False)
    result = function(*(InputSymbol(tracer, i, argument) for i, argument in enumerate(arguments)))
    for symbol in flatten_outputs(result, tracer)[0]:
        tracer.graph.output(symbol._read(False), False)
    return tracer.graph


def flatten_outputs(result: Any, tracer: Tracer) -> tuple[Sequence[Symbol], Callable[..., Any]]:
    """What forward returned as a list, and what makes the same of as many tensors."""
    outputs: list[Any] = list(result) if isinstance(result, (tuple, list)) else [result]
    for output in outputs:
        if not isinstance(output, Symbol) or output._tracer is not tracer:
            raise TypeError(
                f"forward returned {type(output).__name__}, expected the value of an op or a tuple of them"
            )
    if isinstance(result, Symbol):
        return outputs, lambda tensors: tensors[0]
    return outputs, list if isinstance(result, list) else tuple
