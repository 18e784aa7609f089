"""Arguments of a call on arrays: flat, as arrays, and as tracing describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn._arrays import Array, as_array
from fastcnn.engine.module import Module
from fastcnn.engine.symbol import Argument
from fastcnn.engine.tensor import Tensor

# How many values each argument that was a sequence had; None for an argument that is one value.
Form = tuple[int | None, ...]


def flatten(inputs: Sequence[Any]) -> tuple[Sequence[Any], Form | None]:
    """The values of arguments of which some are sequences: tuples or lists of tensors, or tuples of arrays,
    as a loss of several outputs takes them. Numbers in tuples and lists are one array, as ever.

    Returns:
        values, and the form by which `unflatten` makes arguments of them again; None where each is one value.
    """
    if not any(isinstance(value, (tuple, list)) for value in inputs):
        return inputs, None
    values: list[Any] = []
    form: list[int | None] = []
    for value in inputs:
        if is_sequence(value):
            values += value
            form.append(len(value))
        else:
            values.append(value)
            form.append(None)
    return values, tuple(form)


def is_sequence(value: Any) -> bool:
    """Whether an argument is a sequence of values, as `flatten` sees it."""
    if not isinstance(value, (tuple, list)) or not value:
        return False
    kinds = (Tensor, np.ndarray) if isinstance(value, tuple) else Tensor
    return all(isinstance(item, kinds) for item in value)


def unflatten(values: Sequence[Any], form: Form | None) -> Sequence[Any]:
    """The arguments that `flatten` made values of."""
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
    """Named as forward names them; `inputs` and `arrays` as `flatten` gives them."""
    code = getattr(type(module).forward, "__code__", None)
    names = list(code.co_varnames[1 : code.co_argcount]) if code else []
    count = len(inputs) if form is None else len(form)
    names = names[:count] + [f"input{i}" for i in range(len(names), count)]
    if form is not None:
        pairs = zip(names, form, strict=True)
        names = [n if length is None else f"{n}[{i}]" for n, length in pairs for i in range(length or 1)]
    return [
        Argument(name, array.shape, array.dtype.name, isinstance(value, Tensor) and value.requires_grad)
        for name, value, array in zip(names, inputs, arrays, strict=True)
    ]
