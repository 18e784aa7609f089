"""What a person sees while a network trains; all of it on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any


class Progress:
    """A bar over the whole run where stderr is a terminal and tqdm is installed, and a line per epoch."""

    def __init__(self, epochs: int, images_per_epoch: int) -> None:
        self._epochs = epochs
        self._images_per_epoch = images_per_epoch
        self._bar = _make_bar(epochs * images_per_epoch)
        self._restart()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def batch(self, images: int, loss: float, correct: int) -> None:
        """Adds one batch: its mean loss, and how many of its images were told right."""
        self._images += images
        self._loss += loss * images
        self._correct += correct
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{self.loss:.4f}", accuracy=f"{self.accuracy:.4f}", refresh=False)
            self._bar.update(images)

    @property
    def loss(self) -> float:
        """Mean loss of this epoch's images so far."""
        return self._loss / max(self._images, 1)

    @property
    def accuracy(self) -> float:
        """Share of this epoch's images so far that were told right."""
        return self._correct / max(self._images, 1)

    def end_epoch(self, epoch: int) -> None:
        """Reports the epoch, numbered from 0, and starts the next."""
        rate = self._images / max(time.perf_counter() - self._start, 1e-9)
        line = (
            f"epoch {epoch + 1}/{self._epochs}: loss {self.loss:.4f}, accuracy {self.accuracy:.4f}, "
            f"{rate:,.0f} images/s"
        )
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)
        self._restart()

    def _restart(self) -> None:
        self._start = time.perf_counter()
        self._images = 0
        self._loss = 0.0
        self._correct = 0


def _make_bar(images: int) -> Any:
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(
        total=images, unit=" images", unit_scale=True, file=sys.stderr, dynamic_ncols=True, leave=False
    )
