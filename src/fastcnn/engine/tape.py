"""The autograd tape: which calls a result came from, and the backward pass through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from fastcnn import _core
from fastcnn._arrays import Array
from fastcnn.engine.compiled import Compiled


class Operand(Protocol):
    """What the tape asks of a tensor: its gradient, and which output of which call it is."""

    grad: Array | None
    _call: Call | None
    _index: int


class Call:
    """One run of a plan that may go backward: its executor holds what backward needs.

    Attributes:
        parents: for each gradient that backward returns, the tensor it belongs to.
        outputs: shape and type of each output.
        executor: None once backward has used it up.
    """

    __slots__ = ("compiled", "executor", "outputs", "parents")

    def __init__(
        self, compiled: Compiled, executor: _core.Executor, parents: Sequence[Operand], outputs: list[Array]
    ) -> None:
        self.compiled = compiled
        self.executor: _core.Executor | None = executor
        self.parents: Sequence[Operand] = parents
        self.outputs = [(array.shape, array.dtype) for array in outputs]

    def backward(self, gradients: dict[int, Array]) -> list[Array]:
        """From gradients by output to gradients of the parents."""
        assert self.executor is not None
        seeds = [
            gradients[i] if i in gradients else np.zeros(shape, dtype)
            for i, (shape, dtype) in enumerate(self.outputs)
            if self.compiled.requires_grad[i]
        ]
        executor, self.executor = self.executor, None
        results = executor.backward(seeds)
        self.compiled.release(executor)
        return results

    def __del__(self) -> None:
        if self.executor is not None:
            self.compiled.release(self.executor)


def add_grad(tensor: Operand, gradient: Array) -> None:
    """Adds to what the tensor has."""
    tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient


def _calls_before(call: Call) -> Iterator[Call]:
    """The call and all that lead to it, each after those that read its results."""
    order: list[Call] = []
    seen: set[int] = set()
    stack: list[tuple[Call, bool]] = [(call, False)]
    while stack:
        current, done = stack.pop()
        if done:
            order.append(current)
        elif id(current) not in seen:
            seen.add(id(current))
            stack.append((current, True))
            stack.extend((p._call, False) for p in current.parents if p._call is not None)
    return reversed(order)


def backward(last: Call, index: int, seed: Array) -> None:
    """From the gradient of one output of a call to all that it was computed from."""
    calls = list(_calls_before(last))
    if any(call.executor is None for call in calls):
        raise RuntimeError(
            "backward: a backward pass went through these results before, and used up what the forward pass "
            "had kept; run the forward pass again"
        )
    pending: dict[int, dict[int, Array]] = {id(call): {} for call in calls}
    pending[id(last)][index] = seed
    for call in calls:
        for parent, gradient in zip(call.parents, call.backward(pending[id(call)]), strict=True):
            if parent._call is None:
                add_grad(parent, gradient)
                continue
            arrived = pending[id(parent._call)]
            arrived[parent._index] = (
                arrived[parent._index] + gradient if parent._index in arrived else gradient
            )
        call.parents = ()
