"""Symbolic values, which a model sees while it is traced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn, Protocol

from fastcnn import _core
from fastcnn.engine.module import Module
from fastcnn.engine.parameter import Buffer


class Argument(NamedTuple):
    """What tracing needs to know of an array that will be given."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool = False


class GraphBuilder(Protocol):
    """What symbols, and the layers that see them, ask of the Tracer that made them."""

    graph: _core.Graph
    training: bool
    feeds: list[int]
    wanted: list[int]
    counters: list[Buffer]
    reported: dict[str, Symbol]

    def add(self, op: _core.Op, inputs: Iterable[Any]) -> Symbol: ...

    def add_node(
        self, op: _core.Op, inputs: Iterable[Any], integer: tuple[int, ...] = ()
    ) -> tuple[Symbol, ...]: ...

    def call(self, module: Module, inputs: tuple[Any, ...]) -> Any: ...

    def call_model(self, model: Module, inputs: tuple[Any, ...]) -> Any: ...

    def call_until(self, module: Module, inputs: tuple[Any, ...], last: Module) -> Any: ...

    def floating_type(self, array_type: str) -> str: ...

    def next_stream(self) -> int: ...


class Symbol:
    """A value of the model being traced: shape and type are known, numbers are not.

    Attributes:
        shape: logical shape, integers.
        dtype: "float32", "float64" or "int64"; of an input that no op has read yet, the type of its array.
    """

    __slots__ = ("_requires_grad", "_tracer", "_value", "dtype", "shape")

    def __init__(
        self, tracer: GraphBuilder, value: int, shape: tuple[int, ...], dtype: str, requires_grad: bool
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

    def __init__(self, tracer: GraphBuilder, argument: int, spec: Argument) -> None:
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
