"""The package's random numbers: counter-based, so that three integers are their whole state.

Number i of a stream is a pure function of (seed, stream, i) [Salmon et al., "Parallel random numbers: as easy
as 1, 2, 3", SC 2011]; it doesn't depend on threads or on what else was drawn.
"""

from __future__ import annotations

import threading
from typing import TypedDict

__all__ = ["RandomState", "get_state", "manual_seed", "set_state"]

_FILLS = 1 << 63  # streams from here on fill tensors; those below belong to dropout


class RandomState(TypedDict):
    """All there is: the seed, how many tensors were filled, how many random forward passes were run."""

    seed: int
    fills: int
    steps: int


_lock = threading.Lock()
_state = RandomState(seed=0, fills=0, steps=0)


def manual_seed(seed: int) -> None:
    """Starts anew: initialisers and dropout draw from `seed`, in [0, 2**64). The process starts with 0.

    Raises:
        ValueError: seed out of range.
    """
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed is {seed}, expected 0 <= seed < 2**64")
    set_state(RandomState(seed=seed, fills=0, steps=0))


def get_state() -> RandomState:
    """A copy of the state, of plain integers."""
    with _lock:
        return _state.copy()


def set_state(state: RandomState) -> None:
    """Goes on from a state that `get_state` gave."""
    checked = RandomState(seed=int(state["seed"]), fills=int(state["fills"]), steps=int(state["steps"]))
    with _lock:
        _state.update(checked)


def next_fill() -> tuple[int, int]:
    """(seed, stream) for filling one tensor."""
    with _lock:
        _state["fills"] += 1
        return _state["seed"], _FILLS + _state["fills"] - 1


def next_step() -> tuple[int, int]:
    """(seed, step) for one forward pass that draws random numbers."""
    with _lock:
        _state["steps"] += 1
        return _state["seed"], _state["steps"] - 1
