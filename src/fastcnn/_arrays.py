"""Whatever holds numbers, as a NumPy array of a type that the core reads."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_READ = frozenset(map(np.dtype, ("float32", "float64", "uint8", "int32", "int64")))


def as_array(value: Any, what: str = "input") -> Array:
    """An array-like as an array of float32, float64, uint8, int32 or int64; copied only where it must be.

    Reads NumPy arrays, numbers and nested sequences, and anything with `__array__`, `__array_interface__` or
    `__dlpack__`. Other real types are widened: float16 to float32, bool to uint8, other integers to int64.

    Raises:
        TypeError: nothing of the kind, or elements that aren't real numbers.
    """
    array = value if isinstance(value, np.ndarray) else _from_object(value, what)
    if array.dtype in _READ and array.dtype.isnative:
        return array
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize <= 8:
        return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)
    if kind == "b":
        return array.view(np.uint8)
    if kind in "iu":
        return array.astype(np.int64)
    raise TypeError(f"{what}: expected an array of real numbers, got {_describe(value, array)}")


def _from_object(value: Any, what: str) -> Array:
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError) as error:
            if not hasattr(value, "__array__"):
                raise TypeError(f"{what}: {type(value).__name__} can't be read: {error}") from error
    try:
        return np.asarray(value)
    except (ValueError, RuntimeError) as error:
        raise TypeError(f"{what}: {type(value).__name__} can't be read as an array: {error}") from error


def _describe(value: Any, array: Array) -> str:
    if isinstance(value, np.ndarray) or array.dtype.kind != "O":
        return f"elements of type {array.dtype}"
    return type(value).__name__
