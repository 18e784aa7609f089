"""Which values are images: the one place in Python that tells it by their axes."""

from __future__ import annotations

from collections.abc import Sequence

from fastcnn import _core


def is_images(shape: Sequence[int]) -> bool:
    """Whether a shape is (n, c, h, w), which the core stores channels-last; other shapes are row-major."""
    return len(shape) == 4


def check_images(op: str, shape: Sequence[int]) -> None:
    """Raises ShapeError for an input of that shape unless it is images."""
    if not is_images(shape):
        raise _core.ShapeError(f"{op}: x has shape {tuple(shape)}, expected (n, c, h, w)")
