"""Batches in an order that only the seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Loader:
    """Iterates over (x, y) batches; each `for` loop is one epoch.

    The order of an epoch follows from (seed, epoch) alone, so a resumed run that sets `epoch` sees the
    batches that the uninterrupted run would have seen.

    Args:
        x: inputs, first axis the samples, any type.
        y: labels, one per sample; batches have them as int64.
        batch_size: samples per batch; the last batch holds what is left, unless `drop_last`.
        shuffle: a new order each epoch; the stored order otherwise.
        seed: of the order, a non-negative int.
        drop_last: leaves out a last batch smaller than `batch_size`.
        transform: applied to each batch of x, such as a Preprocessing.

    Raises:
        ValueError: x and y of different lengths, a batch size below 1, a negative seed.

    Attributes:
        epoch: number of the next epoch, from 0; set it to resume.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        transform: Callable[[Array], Array] | None = None,
    ) -> None:
        if len(x) != len(y):
            raise ValueError(f"x has {len(x)} samples, y has {len(y)}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected at least 0")
        self.x = x
        self.y = y
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.transform = transform
        self.epoch = 0

    @property
    def samples(self) -> int:
        """Samples that one epoch yields."""
        return len(self) * self.batch_size if self.drop_last else len(self.x)

    def __len__(self) -> int:
        """Batches in one epoch."""
        full, left = divmod(len(self.x), self.batch_size)
        return full + (left > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        order = self._order(self.epoch)
        self.epoch += 1
        return self._batches(order)

    def _order(self, epoch: int) -> Array:
        if not self.shuffle:
            return np.arange(len(self.x))
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.x))

    def _batches(self, order: Array) -> Iterator[tuple[Array, Array]]:
        for i in range(len(self)):
            batch = order[i * self.batch_size : (i + 1) * self.batch_size]
            x = self.x[batch]
            yield self.transform(x) if self.transform else x, self.y[batch].astype(np.int64)
