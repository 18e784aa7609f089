"""Trainable parameters and buffers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import _clock, _core
from fastcnn._arrays import Array, as_array


class Parameter:
    """A trainable tensor and its gradient, owned by the core.

    Args:
        value: initial value: an array-like, or the shape as a tuple of integers for zeros.
        dtype: "float32" or "float64".
        requires_grad: whether backward passes compute its gradient.

    Convolution weights are (c_out, c_in / groups, k_h, k_w). `value` and `grad` are views of the core's
    memory (stored channels-last, so their strides are not C order): assign into them, `p.value[...] = 0`.
    """

    __slots__ = ("_core", "_version")

    def __init__(self, value: Any, dtype: str = "float32", requires_grad: bool = True) -> None:
        if dtype == "int64" and requires_grad:
            raise TypeError("a parameter is float32 or float64, not int64")
        is_shape = isinstance(value, tuple) and all(isinstance(extent, int) for extent in value)
        array = None if is_shape else as_array(value, "Parameter")
        self._core = _core.Parameter(value if array is None else array.shape, dtype)
        if array is not None:
            self._core.value[...] = array
        self._core.requires_grad = requires_grad
        self._version = _clock.tick()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._core.shape

    @property
    def dtype(self) -> str:
        return self._core.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def value(self) -> Array:
        """A writable view of the numbers."""
        return self._core.value

    @property
    def grad(self) -> Array | None:
        """A writable view of the gradient; None before the first backward pass, after `zero_grad` and after
        `Trainer.step`."""
        return self._core.grad

    @property
    def requires_grad(self) -> bool:
        return self._core.requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if flag != self._core.requires_grad:
            self._core.requires_grad = flag
            self._version = _clock.tick()

    def zero_grad(self) -> None:
        """Drops the gradient."""
        self._core.zero_grad()

    def numpy(self) -> Array:
        """A C-contiguous copy of the value."""
        return np.array(self._core.value, order="C")

    def to(self, dtype: str) -> None:
        """Changes the element type in place and drops the gradient. Make optimisers afterwards."""
        if dtype == self.dtype:
            return
        core = _core.Parameter(self.shape, dtype)
        core.value[...] = self._core.value
        core.requires_grad = self._core.requires_grad
        self._core = core
        self._version = _clock.tick()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self._core.value, dtype=dtype, copy=copy)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.numpy(), self.dtype, self.requires_grad

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype}, requires_grad={self.requires_grad})"


class Buffer(Parameter):
    """A tensor that belongs to a module's state but isn't trained, such as running statistics.

    Args:
        value: initial value: an array-like, or the shape as a tuple of integers for zeros.
        dtype: "float32", "float64" or "int64".
    """

    __slots__ = ()

    def __init__(self, value: Any, dtype: str = "float32") -> None:
        super().__init__(value, dtype, requires_grad=False)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.numpy(), self.dtype

    def __repr__(self) -> str:
        return f"Buffer(shape={self.shape}, dtype={self.dtype})"
