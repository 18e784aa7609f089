"""Contestants timed in turn."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from versus.worker import Worker

SAMPLE_SECONDS = 0.1  # a sample is as many steps as fill this, at least one
PAUSE_SECONDS = 0.05  # threads of the one before stop spinning meanwhile
LEAST_ROUNDS = 3
MOST_ROUNDS = 15
TOLERANCE = 1e-3


class DisagreementError(Exception):
    """Engines whose results differ are not compared."""


@dataclass
class Contestant:
    """What one engine prepared under `key`, in one of its variants; `samples` are seconds per step."""

    worker: Worker
    key: Any
    variant: str = ""
    samples: list[float] = field(default_factory=list)

    @property
    def peer(self) -> str:
        return self.worker.peer

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def best(self) -> float:
        return min(self.samples)


class Budget:
    """Seconds to be shared among measurements, those to come included."""

    def __init__(self, seconds: float, measurements: int) -> None:
        self._end = time.monotonic() + seconds
        self._measurements = measurements

    def share(self) -> float:
        """Of the next measurement."""
        share = max(0.0, self._end - time.monotonic()) / max(1, self._measurements)
        self._measurements -= 1
        return share


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Relative to the largest element; infinite where shapes differ or something is not finite."""
    if ours.shape != theirs.shape or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float("inf")
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def compare(contestants: list[Contestant]) -> float:
    """The largest difference between the first contestant's results and those of the others.

    Raises:
        DisagreementError: it is larger than TOLERANCE.
    """
    results = [contestant.worker.check(contestant.key) for contestant in contestants]
    worst = 0.0
    for contestant, theirs in zip(contestants[1:], results[1:], strict=True):
        apart = difference(results[0], theirs)
        if not apart <= TOLERANCE:
            raise DisagreementError(
                f"{contestants[0].peer} and {contestant.peer} {contestant.variant} differ by {apart:.1e}, "
                f"expected at most {TOLERANCE:.0e}"
            )
        worst = max(worst, apart)
    return worst


def rounds_within(seconds: float, round_seconds: float) -> int:
    return max(LEAST_ROUNDS, min(MOST_ROUNDS, int(seconds / round_seconds)))


def interleave(contestants: list[Contestant], seconds: float) -> None:
    """Fills the contestants' samples, one of each a round, in `seconds` or LEAST_ROUNDS.

    What disturbs the machine for longer than a round disturbs all of them. Each round another one begins.
    """
    steps, warm_ups, round_seconds = [], [], 0.0
    for contestant in contestants:
        time.sleep(PAUSE_SECONDS)
        once = contestant.worker.seconds(contestant.key, 1, warm_up=1)
        if once < SAMPLE_SECONDS:  # again, of more than one step
            once = contestant.worker.seconds(contestant.key, max(1, int(0.2 * SAMPLE_SECONDS / once)))
        steps.append(max(1, round(SAMPLE_SECONDS / once)))
        warm_ups.append(0 if once > SAMPLE_SECONDS else max(1, steps[-1] // 10))
        round_seconds += PAUSE_SECONDS + (steps[-1] + warm_ups[-1]) * once
    for number in range(rounds_within(seconds, round_seconds)):
        first = number % len(contestants)
        for index in [*range(first, len(contestants)), *range(first)]:
            time.sleep(PAUSE_SECONDS)
            contestant = contestants[index]
            contestant.samples.append(
                contestant.worker.seconds(contestant.key, steps[index], warm_ups[index])
            )
