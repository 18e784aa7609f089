"""What functions ask of their inputs."""

from __future__ import annotations

from typing import Any

from fastcnn._arrays import as_array
from fastcnn.engine.symbol import Symbol
from fastcnn.engine.tensor import Tensor


def shape_of_input(x: Any) -> tuple[int, ...]:
    return tuple(x.shape if isinstance(x, (Symbol, Tensor)) else as_array(x, "functional").shape)


def stream_of(x: Any) -> int:
    """Random numbers of its own for a node of a model."""
    return x._tracer.next_stream() if isinstance(x, Symbol) else 0
