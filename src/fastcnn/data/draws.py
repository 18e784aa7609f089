"""Random numbers of the samples of a batch, that nothing but the seed, the epoch and the sample decides."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd


class Draws:
    """A stream of random numbers for each sample of a batch.

    A stream follows from (seed, epoch, sample) alone: not from the batch the sample is in, nor from threads.
    It is SplitMix64 [Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014],
    begun where a hash of the three says. Every call goes on in the streams.

    Args:
        seed, epoch: non-negative integers.
        samples: numbers of the samples, non-negative integers (n).
    """

    def __init__(self, seed: int, epoch: int, samples: Array) -> None:
        state = np.zeros(1, np.uint64)
        for number in (np.array([seed]), np.array([epoch]), samples):
            state = _hash(state * _GOLDEN + number.astype(np.uint64) + _GOLDEN)
        self._state = state
        self._drawn = 0

    def __len__(self) -> int:
        return len(self._state)

    def uniform(self, low: float = 0.0, high: float = 1.0, count: int = 1) -> Array:
        """float64 (n, count), from `low` to below `high`."""
        counters = np.arange(self._drawn + 1, self._drawn + count + 1).astype(np.uint64)
        self._drawn += count
        bits = _hash(self._state[:, None] + counters * _GOLDEN)
        result: Array = low + (high - low) * ((bits >> np.uint64(11)) * 2.0**-53)
        return result

    def integers(self, count: int) -> Array:
        """intp (n), from 0 to below `count`."""
        return (self.uniform()[:, 0] * count).astype(np.intp)

    def normal(self, count: int = 1) -> Array:
        """float64 (n, count), of mean 0 and variance 1 [Box and Muller, 1958]."""
        radius, angle = np.split(self.uniform(count=2 * count), 2, axis=1)
        result: Array = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
        return result

    def generator(self) -> np.random.Generator:
        """A generator for what the batch draws as a whole."""
        return np.random.default_rng(self._state)


def _hash(z: Array) -> Array:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Array = z ^ (z >> np.uint64(31))
    return result
