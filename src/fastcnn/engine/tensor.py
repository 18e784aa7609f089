"""Eager tensors: results of calls on arrays, which know where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import _core, random
from fastcnn._arrays import Array, as_array
from fastcnn.engine.compiled import Compiled, trace
from fastcnn.engine.parameter import Parameter
from fastcnn.engine.symbol import Argument, Symbol
from fastcnn.engine.tape import Call, add_grad, backward
from fastcnn.engine.tracer import Scope


class Tensor:
    """An array and where it came from.

    Args:
        value: any array-like.
        requires_grad: whether `backward` computes the gradient with respect to it, into `grad`.

    Calls of models and functions return tensors. Read the numbers with `numpy()` (no copy), `item()`,
    `float()`, `np.asarray` or DLPack.

    Attributes:
        grad: of a tensor made with `requires_grad`: the gradients of all backward passes so far, summed.
        requires_grad: whether gradients flow through it.
    """

    __slots__ = ("_array", "_call", "_index", "grad", "requires_grad")

    def __init__(self, value: Any, requires_grad: bool = False) -> None:
        self._array = as_array(value, "Tensor")
        if requires_grad and self._array.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors have gradients, got {self._array.dtype}")
        self.requires_grad = requires_grad
        self.grad: Array | None = None
        self._call: Call | None = None
        self._index = 0

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._array.shape
        return shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self._array.dtype
        return dtype

    def numpy(self) -> Array:
        """The numbers, not copied."""
        return self._array

    def item(self) -> float | int:
        """The number of a tensor that has one element."""
        return self._array.item()  # type: ignore[no-any-return]

    def backward(self, gradient: Any = None) -> None:
        """Adds the gradient of this tensor to `grad` of every parameter and tensor that it was computed from.

        Args:
            gradient: of the final result with respect to this tensor, its shape; 1 for a scalar.

        Raises:
            RuntimeError: nothing here requires a gradient, or a backward pass went through it before.
            ShapeError: gradient is missing for more than one element, or has another shape.
        """
        seed = self._seed(gradient)
        if self._call is None:
            if not self.requires_grad:
                raise RuntimeError(
                    "backward: this tensor has no gradient to pass on: it is not a result of a model in "
                    "training mode (see Module.train) or of tensors that require gradients"
                )
            add_grad(self, seed)
            return
        if not self.requires_grad:
            raise RuntimeError("backward: nothing that this tensor was computed from requires a gradient")
        backward(self._call, self._index, seed)

    def _seed(self, gradient: Any) -> Array:
        if gradient is None:
            if self._array.size != 1:
                raise _core.ShapeError(
                    f"backward: a tensor of shape {self.shape} needs a gradient of that shape; only a scalar "
                    'has a default. A loss is a scalar with reduction="mean" or "sum"'
                )
            return np.ones_like(self._array)
        seed = as_array(gradient, "gradient")
        if seed.shape != self.shape:
            raise _core.ShapeError(f"backward: gradient has shape {seed.shape}, expected {self.shape}")
        return seed

    def flatten(self, start_dim: int = 1) -> Tensor:
        """Axes from `start_dim` on as one, in logical (CHW) order."""
        return _tensor(apply(_core.make_op("flatten", start_dim=start_dim), self))

    def __add__(self, other: Any) -> Tensor:
        if isinstance(other, (int, float)):
            return self._scaled(1.0, float(other))
        return _tensor(apply(_core.make_op("add"), self, other))

    __radd__ = __add__

    def __mul__(self, other: Any) -> Tensor:
        if not isinstance(other, (int, float)):
            return _tensor(apply(_core.make_op("multiply"), self, other))
        return self._scaled(float(other), 0.0)

    __rmul__ = __mul__

    def _scaled(self, a: float, b: float) -> Tensor:
        return _tensor(apply(_core.make_op("activation", function="linear", a=a, b=b), self))

    def __float__(self) -> float:
        return float(self._array.item())

    def __int__(self) -> int:
        return int(self._array.item())

    def __bool__(self) -> bool:
        return bool(self._array.item())

    def __len__(self) -> int:
        return len(self._array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is None:
            return np.asarray(self._array, dtype=dtype)
        return np.array(self._array, dtype=dtype, copy=copy)

    def __dlpack__(self, **arguments: Any) -> Any:
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __repr__(self) -> str:
        text = np.array2string(self._array, separator=", ", prefix="Tensor(", threshold=100)
        return f"Tensor({text}, dtype={self.dtype}{', requires_grad=True' if self.requires_grad else ''})"


def run(compiled: Compiled, arguments: Sequence[Any], arrays: Sequence[Array]) -> Any:
    """Runs a plan on arrays; `arguments` are the same as the caller gave them, tensors among them."""
    executor = compiled.acquire()
    seed, step = random.next_step() if compiled.is_random else (0, 0)
    try:
        outputs = executor.run([arrays[i] for i in compiled.feeds], seed, step)
    except Exception:
        compiled.release(executor)
        raise
    compiled.count_run()
    call = None
    if compiled.differentiable:
        call = Call(compiled, executor, [arguments[i] for i in compiled.wanted], outputs)
    else:
        compiled.release(executor)
    results = zip(outputs, compiled.requires_grad, strict=True)
    return compiled.rebuild([_result(array, call, i, grad) for i, (array, grad) in enumerate(results)])


def _result(array: Array, call: Call | None, index: int, requires_grad: bool) -> Tensor:
    tensor = Tensor.__new__(Tensor)
    tensor._array = array
    tensor._call = call
    tensor._index = index
    tensor.grad = None
    tensor.requires_grad = requires_grad
    return tensor


def apply(op: _core.Op, *inputs: Any, integer: tuple[int, ...] = (), training: bool = True) -> Any:
    """An op on whatever is at hand: on symbols it becomes a node, on tensors and arrays it runs.

    Args:
        inputs: symbols (then all but Parameters and None must be), or tensors and array-likes.
        integer: which inputs the op reads as int64.
        training: whether the op knows that it is in training.

    Returns:
        Symbol or Tensor.
    """
    (output,) = apply_all(op, *inputs, integer=integer, training=training)
    return output


def apply_all(op: _core.Op, *inputs: Any, integer: tuple[int, ...] = (), training: bool = True) -> Any:
    """All outputs of an op that may have several, as a tuple; arguments are `apply`'s."""
    for value in inputs:
        if isinstance(value, Symbol):
            return value._tracer.add_node(op, inputs, integer)
    flowing = [i for i, value in enumerate(inputs) if value is not None and not isinstance(value, Parameter)]
    arguments = [inputs[i] for i in flowing]
    arrays = [a._array if isinstance(a, Tensor) else as_array(a, op.kind) for a in arguments]
    types = [p.dtype for i, p in enumerate(inputs) if isinstance(p, Parameter) and i not in integer]
    types = types or [a.dtype.name for i, a in zip(flowing, arrays, strict=True) if i not in integer]

    def function(*symbols: Symbol) -> tuple[Symbol, ...]:
        operands = list(inputs)
        for i, symbol in zip(flowing, symbols, strict=True):
            operands[i] = symbol
        return symbols[0]._tracer.add_node(op, operands, integer)

    names = ["x"] if len(arguments) == 1 else [f"x{i}" for i in flowing]
    compiled = trace(
        function,
        [
            Argument(name, a.shape, a.dtype.name, isinstance(t, Tensor) and t.requires_grad)
            for name, t, a in zip(names, arguments, arrays, strict=True)
        ],
        scope=Scope(),
        dtype="float64" if "float64" in types else "float32",
        training=training,
    )
    return run(compiled, arguments, arrays)


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value
