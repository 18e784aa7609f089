"""One op at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import _core
from fastcnn._arrays import Array, as_array


def forward(
    op: _core.Op,
    *inputs: Any,
    integer: tuple[int, ...] = (),
    training: bool = False,
    state: tuple[int, int] = (0, 0),
) -> Array:
    """The output. `integer`: which inputs the op reads as int64; `state`: (seed, step) of random numbers."""
    (y,) = forward_all(op, *inputs, integer=integer, training=training, state=state)
    return y


def forward_all(
    op: _core.Op,
    *inputs: Any,
    integer: tuple[int, ...] = (),
    training: bool = False,
    state: tuple[int, int] = (0, 0),
) -> list[Array]:
    """All outputs of an op that has several; arguments are `forward`'s."""
    executor, arrays = _one_op(op, inputs, integer, training, differentiate=False)
    return executor.run(arrays, *state)


def backward(
    op: _core.Op,
    dy: Any,
    *inputs: Any,
    integer: tuple[int, ...] = (),
    state: tuple[int, int] = (0, 0),
) -> list[Array | None]:
    """One gradient per floating-point input, None for an absent one."""
    return backward_all(op, [dy], *inputs, integer=integer, state=state)


def backward_all(
    op: _core.Op,
    dy: Sequence[Any],
    *inputs: Any,
    integer: tuple[int, ...] = (),
    state: tuple[int, int] = (0, 0),
) -> list[Array | None]:
    """The same from the gradients of all outputs of an op that has several."""
    executor, arrays = _one_op(op, inputs, integer, training=True, differentiate=True)
    outputs = executor.run(arrays, *state)
    if len(dy) != len(outputs):
        raise ValueError(f"{op.kind}: dy has {len(dy)} parts, expected {len(outputs)}")
    seeds = [as_array(part, "dy") for part in dy]
    for seed, y in zip(seeds, outputs, strict=True):
        if seed.shape != y.shape:
            raise _core.ShapeError(f"{op.kind}: dy has shape {seed.shape}, expected that of y, {y.shape}")
    gradients = iter(executor.backward(seeds))
    return [None if x is None else next(gradients) for i, x in enumerate(inputs) if i not in integer]


def only(gradients: list[Array | None]) -> Array:
    """The gradient of an op with one floating-point input."""
    (gradient,) = gradients
    assert gradient is not None
    return gradient


def _one_op(
    op: _core.Op, inputs: Sequence[Any], integer: tuple[int, ...], training: bool, differentiate: bool
) -> tuple[_core.Executor, list[Array]]:
    """A graph of one node, planned, and the arrays to run it on."""
    arrays = {i: as_array(x, op.kind) for i, x in enumerate(inputs) if x is not None}
    doubles = any(a.dtype == np.float64 for i, a in arrays.items() if i not in integer)
    floating = "float64" if doubles else "float32"
    graph = _core.Graph()
    values = [_core.NO_VALUE] * len(inputs)
    for i, array in arrays.items():
        dtype = "int64" if i in integer else floating
        values[i] = graph.input(array.shape, dtype, f"x{i}", differentiate and i not in integer)
    for output in graph.add_node(op, values, op.kind):
        graph.output(output, differentiate and graph.dtype(output) != "int64")
    return _core.Executor(_core.Plan(graph, training)), list(arrays.values())
