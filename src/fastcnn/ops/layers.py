"""Layers without a file of their own."""

from __future__ import annotations

from collections.abc import Sequence
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


def flatten(x: Any, start_dim: int = 1) -> Array:
    """Axes from `start_dim` on as one, in logical order: (n, c, h, w) to (n, c h w)."""
    return forward(make_op("flatten", start_dim=start_dim), x)


def flatten_backward(dy: Any, x: Any, start_dim: int = 1) -> Array:
    """dx of `flatten`: dy in the shape of x."""
    return only(backward(make_op("flatten", start_dim=start_dim), dy, x))


def dropout(x: Any, p: float = 0.5, *, seed: int = 0, step: int = 0, stream: int = 0) -> Array:
    """Inverted dropout, any shape: 0 with probability p, else x / (1 - p).

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012). Which
    elements drop is a pure function of (seed, step, stream) and their places.
    """
    return forward(make_op("dropout", p=p, stream=stream), x, training=True, state=(seed, step))


def dropout_backward(
    dy: Any, x: Any, p: float = 0.5, *, seed: int = 0, step: int = 0, stream: int = 0
) -> Array:
    """dx of `dropout`: dy, dropped and scaled as x was. Of x only the shape matters."""
    return only(backward(make_op("dropout", p=p, stream=stream), dy, x, state=(seed, step)))


def add(a: Any, b: Any) -> Array:
    """a + b, of one shape."""
    return forward(make_op("add"), a, b)


def add_backward(dy: Any, a: Any, b: Any) -> tuple[Array, Array]:
    """(da, db) of `add`: dy twice. Of a and b only the shapes matter."""
    da, db = backward(make_op("add"), dy, a, b)
    assert da is not None and db is not None
    return da, db


def concat(inputs: Sequence[Any], axis: int = 1) -> Array:
    """Inputs side by side along `axis`; their other extents agree."""
    return forward(make_op("concat", axis=axis), *inputs)


def concat_backward(dy: Any, inputs: Sequence[Any], axis: int = 1) -> tuple[Array, ...]:
    """The parts of dy that belong to each input of `concat`. Of the inputs only the shapes matter."""
    gradients = backward(make_op("concat", axis=axis), dy, *inputs)
    return tuple(gradient for gradient in gradients if gradient is not None)
