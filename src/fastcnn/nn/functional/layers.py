"""Linear layers and dropout as functions."""

from __future__ import annotations

from typing import Any

from fastcnn._core import make_op
from fastcnn.engine.tensor import apply
from fastcnn.nn.functional._inputs import stream_of
from fastcnn.nn.functional.activations import affine


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x W' + b: (n, f) and W (out, f) to (n, out)."""
    return apply(make_op("linear"), x, weight, bias)


def dropout(x: Any, p: float = 0.5, training: bool = True, scaling: str = "training") -> Any:
    """Zeroes with probability p in training. To keep the means, scaling="training" divides the rest by 1 - p,
    and "inference" multiplies all by 1 - p unless training."""
    op = make_op("dropout", p=p, scaling=scaling, stream=stream_of(x) if training else 0)
    if training:
        return apply(op, x)
    return affine(x, 1 - p) if scaling == "inference" else x
