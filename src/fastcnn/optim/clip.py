"""Gradients kept within bounds, between backward and the update."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fastcnn.engine.parameter import Parameter


def grad_norm(parameters: Iterable[Parameter]) -> float:
    """Euclidean norm of all gradients as one vector, summed in float64; 0 where there are none."""
    squares = [np.square(p.grad, dtype=np.float64).sum() for p in parameters if p.grad is not None]
    return math.sqrt(sum(squares))


def clip_grad_norm_(parameters: Iterable[Parameter], max_norm: float) -> float:
    """Scales all gradients by min(1, max_norm / (norm + 1e-6)) [Pascanu et al. 2013, algorithm 1; the 1e-6 is
    PyTorch's].

    Returns:
        their Euclidean norm before.

    Raises:
        ValueError: max_norm not above 0.
    """
    _check("clip_grad_norm_", "max_norm", max_norm)
    chosen = list(parameters)
    norm = grad_norm(chosen)
    scale = max_norm / (norm + 1e-6)
    if scale < 1:
        for parameter in chosen:
            if parameter.grad is not None:
                parameter.grad[...] *= scale
    return norm


def clip_grad_value_(parameters: Iterable[Parameter], clip_value: float) -> None:
    """Brings every element of the gradients into [-clip_value, clip_value].

    Raises:
        ValueError: clip_value not above 0.
    """
    _check("clip_grad_value_", "clip_value", clip_value)
    for parameter in parameters:
        if parameter.grad is not None:
            np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)


def _check(function: str, name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{function}: {name} is {value}, expected above 0")
