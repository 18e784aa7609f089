"""Contestants timed in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from versus.worker import Worker

SAMPLE_SECONDS = 0.1  # a sample is as many steps as fill this, at least one
PAUSE_SECONDS = 0.05  # threads of the one before stop spinning meanwhile
LEAST_ROUNDS = 3
MOST_ROUNDS = 15
TOLERANCE = 1e-3
# Losses of a second step: an update amplifies what rounding did to the first, resnet50's to 5e-4 of the
# double-precision loss in every engine.
TRAINING_TOLERANCE = 3e-3


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
    """Seconds to be shared among measurements; what one leaves over goes to those after it."""

    def __init__(self, seconds: float, measurements: int) -> None:
        self._seconds = seconds
        self._measurements = measurements

    @contextmanager
    def turn(self) -> Iterator[float]:
        """The seconds that the next measurement may take; what it takes in the block is spent."""
        start = time.monotonic()
        yield max(0.0, self._seconds) / max(1, self._measurements)
        self._seconds -= time.monotonic() - start
        self._measurements -= 1


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Relative to the largest element; infinite where shapes differ or something is not finite."""
    if ours.shape != theirs.shape or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float("inf")
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def compare(contestants: list[Contestant], tolerance: float = TOLERANCE) -> float:
    """The largest difference between the first contestant's results and those of the others.

    Raises:
        DisagreementError: it is larger than `tolerance`.
    """
    results = [contestant.worker.check(contestant.key) for contestant in contestants]
    worst = 0.0
    for contestant, theirs in zip(contestants[1:], results[1:], strict=True):
        apart = difference(results[0], theirs)
        if not apart <= tolerance:
            raise DisagreementError(
                f"{contestants[0].peer} and {contestant.peer} {contestant.variant} differ by {apart:.1e}, "
                f"expected at most {tolerance:.0e}"
            )
        worst = max(worst, apart)
    return worst


def rounds_within(seconds: float, round_seconds: float) -> int:
    return max(LEAST_ROUNDS, min(MOST_ROUNDS, int(seconds / round_seconds)))


def interleave(contestants: list[Contestant], seconds: float) -> None:
    """Fills the contestants' samples, one of each a round, in `seconds` or LEAST_ROUNDS.

    What disturbs the machine for longer than a round disturbs all of them. Each round another one begins.
    """
    schedules = [_schedule(contestant) for contestant in contestants]
    rounds = rounds_within(seconds, sum(schedule.seconds for schedule in schedules))
    for number in range(rounds):
        first = number % len(contestants)
        for index in [*range(first, len(contestants)), *range(first)]:
            time.sleep(PAUSE_SECONDS)
            contestant, schedule = contestants[index], schedules[index]
            sample = contestant.worker.seconds(contestant.key, schedule.steps, schedule.warm_ups)
            contestant.samples.append(sample)


@dataclass(frozen=True)
class _Schedule:
    """Of one sample: how many steps, after how many untimed ones, and about how long that takes."""

    steps: int
    warm_ups: int
    seconds: float


def _schedule(contestant: Contestant) -> _Schedule:
    time.sleep(PAUSE_SECONDS)
    once = _whole_seconds(contestant, 1)
    if once < SAMPLE_SECONDS:  # was the first of its kind
        once = _whole_seconds(contestant, 1 if once > 0.2 * SAMPLE_SECONDS else 10)
    steps = max(1, round(SAMPLE_SECONDS / once))
    warm_ups = 0 if once > SAMPLE_SECONDS else max(1, steps // 10)
    return _Schedule(steps, warm_ups, PAUSE_SECONDS + (steps + warm_ups) * once)


def _whole_seconds(contestant: Contestant, steps: int) -> float:
    """Per step, with what of it is not timed."""
    start = time.monotonic()
    timed = contestant.worker.seconds(contestant.key, steps)
    return max(timed, (time.monotonic() - start) / steps)
