"""Layers without a file of their own."""

from __future__ import annotations

from typing import Any

from fastcnn._arrays import Array
from fastcnn._core import make_op
from fastcnn.ops._run import backward, forward, only


def linear(x: Any, w: Any, b: Any = None) -> Array:
    """y = x w' + b.

    Args:
        x: (n, in).
        w: (out, in).
        b: (out), or None.
    """
    return forward(make_op("linear"), x, w, b)


def linear_backward(dy: Any, x: Any, w: Any, b: Any = None) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db) of `linear`: dy w, dy' x, and the sum of dy over n; db is None where b is."""
    dx, dw, db = backward(make_op("linear"), dy, x, w, b)
    assert dx is not None and dw is not None
    return dx, dw, db


def dropout(
    x: Any,
    p: float = 0.5,
    *,
    seed: int = 0,
    step: int = 0,
    stream: int = 0,
    scaling: str = "training",
    training: bool = True,
) -> Array:
    """Dropout, any shape: in training 0 with probability p, else x / (1 - p); x unless training.

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012). Which
    elements drop is a pure function of (seed, step, stream) and their places.

    Args:
        scaling: "training" as above; "inference": x where it stays, and x (1 - p) unless training.
    """
    op = make_op("dropout", p=p, stream=stream, scaling=scaling)
    return forward(op, x, training=training, state=(seed, step))


def dropout_backward(
    dy: Any,
    x: Any,
    p: float = 0.5,
    *,
    seed: int = 0,
    step: int = 0,
    stream: int = 0,
    scaling: str = "training",
) -> Array:
    """dx of `dropout` in training: dy, dropped and scaled as x was. Of x only the shape matters."""
    op = make_op("dropout", p=p, stream=stream, scaling=scaling)
    return only(backward(op, dy, x, state=(seed, step)))
