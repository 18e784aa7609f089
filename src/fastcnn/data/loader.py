"""Batches in an order that only the seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastcnn import _core
from fastcnn.data.augmentation import Augmentation
from fastcnn.data.draws import Draws
from fastcnn.data.image_files import ImageFiles
from fastcnn.data.prefetch import run_ahead

Array = np.ndarray[Any, Any]


class Loader:
    """Iterates over (x, y) batches; each `for` loop is one epoch.

    The order of an epoch follows from (seed, epoch) alone, and what augmentation does to a sample from (seed,
    epoch, sample), so a resumed run that sets `epoch` and `start` sees the batches that the uninterrupted run
    would have seen, for any number of workers.

    Args:
        x: inputs, first axis the samples, any type; for augmentation images uint8 or float32 from 0 to 255,
            (n, height, width) or (n, channels, height, width). An ImageFiles is decoded as batches are made.
        y: labels, one per sample; batches have them as int64.
        batch_size: samples per batch; the last batch holds what is left, unless `drop_last`.
        shuffle: a new order each epoch; the stored order otherwise.
        balanced: with `shuffle`, every class comes equally often in an epoch of the same length: samples of
            rare classes come several times, and some of frequent ones not at all.
        seed: of order and augmentation, a non-negative int.
        drop_last: leaves out a last batch smaller than `batch_size`.
        augment: applied to each batch one after the other, such as RandomCrop(32, padding=4).
        transform: applied to each batch of x, after augmentation, such as a Preprocessing.
        workers: threads that make batches while the last one is used; 0 makes each when it is asked for. When
            left out 1, and for an ImageFiles as many as the core computes on.
        prefetch: how many batches per worker are made ahead.

    Raises:
        ValueError: x and y of different lengths, a batch size below 1, a negative seed, `balanced` without
            `shuffle`, negative workers, or nothing to prefetch.

    Attributes:
        epoch: number of the next epoch, from 0; set it to resume.
        start: number of the batch that the next epoch begins with; set it to resume within an epoch. It is 0
            again when that has begun.
    """

    def __init__(
        self,
        x: Array | ImageFiles,
        y: Array,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        balanced: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        augment: Sequence[Augmentation] = (),
        transform: Callable[[Array], Array] | None = None,
        workers: int | None = None,
        prefetch: int = 2,
    ) -> None:
        if len(x) != len(y):
            raise ValueError(f"x has {len(x)} samples, y has {len(y)}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected at least 0")
        if balanced and not shuffle:
            raise ValueError("balanced needs shuffle=True")
        if workers is None:
            workers = _core.num_threads()[0] if isinstance(x, ImageFiles) else 1
        if workers < 0 or prefetch < 1:
            raise ValueError(f"workers={workers}, prefetch={prefetch}, expected at least 0 and 1")
        self.x = x
        self.y = y
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.balanced = balanced
        self.seed = seed
        self.drop_last = drop_last
        self.augment = augment
        self.transform = transform
        self.workers = workers
        self.prefetch = prefetch
        self.epoch = 0
        self.start = 0

    @property
    def samples(self) -> int:
        """Samples that one epoch yields."""
        return len(self) * self.batch_size if self.drop_last else len(self.x)

    def __len__(self) -> int:
        """Batches in one epoch."""
        full, left = divmod(len(self.x), self.batch_size)
        return full + (left > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        epoch, start = self.epoch, self.start
        self.epoch, self.start = epoch + 1, 0
        order = self._order(epoch)
        batches = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(start, len(self))]
        return run_ahead(
            lambda batch: self._make(epoch, batch), batches, self.workers, self.workers * self.prefetch
        )

    def _order(self, epoch: int) -> Array:
        """Tickets: the index of a sample plus, where it comes once more, a multiple of their number."""
        n = len(self.x)
        if not self.shuffle:
            return np.arange(n)
        random = np.random.default_rng([self.seed, epoch])
        return _balanced(self.y, random) if self.balanced else random.permutation(n)

    def _make(self, epoch: int, tickets: Array) -> tuple[Array, Array]:
        samples = tickets % len(self.x)
        x, y = self.x[samples], self.y[samples].astype(np.int64)
        if self.augment:
            x = np.ascontiguousarray(x if x.ndim == 4 else x[:, None])
            draws = Draws(self.seed, epoch, tickets)
            for change in self.augment:
                x, y = change(x, y, draws)
        return self.transform(x) if self.transform else x, y


def _balanced(labels: Array, random: np.random.Generator) -> Array:
    """As many tickets as samples, evenly from all classes that have samples."""
    n = len(labels)
    classes, members = np.unique(labels, return_inverse=True)
    tickets = []
    for i, turn in enumerate(random.permutation(len(classes))):
        own = np.flatnonzero(members == i)
        wanted = (n + turn) // len(classes)  # the turns share out what is left over
        rounds = -(-wanted // len(own))
        tickets.append(np.concatenate([random.permutation(own) + n * r for r in range(rounds)])[:wanted])
    return random.permutation(np.concatenate(tickets)) if tickets else np.arange(0)
