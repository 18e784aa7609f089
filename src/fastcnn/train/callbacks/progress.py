"""What a person sees while a network trains; all of it on stderr."""

from __future__ import annotations

import sys
from typing import Any

from fastcnn.train.results import Epoch, StepResult
from fastcnn.train.training import Callback, Training


class Progress(Callback):
    """A line per epoch, and a bar over the epoch where stderr is a terminal and tqdm is installed; in a
    notebook or a file there are the lines alone."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_train_begin(self, training: Training) -> None:
        if training.epoch < training.epochs and sys.stderr.isatty():
            self._bar = _make_bar(getattr(training.train, "samples", None))

    def on_step_end(self, training: Training, result: StepResult) -> None:
        if self._bar is None:
            return
        totals = training.totals
        if training.batch == 1:
            self._bar.reset()
        self._bar.update(totals.samples - self._bar.n)
        count = max(totals.samples, 1)
        self._bar.set_description(f"epoch {training.epoch + 1}/{training.epochs}", refresh=False)
        self._bar.set_postfix(
            loss=f"{totals.loss / count:.4f}", accuracy=f"{totals.correct / count:.4f}", refresh=False
        )

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        line = f"epoch {epoch.epoch}/{training.epochs}: {describe(epoch)}"
        if training.skipped:
            line += f"; {training.skipped} steps skipped: not finite"
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def describe(epoch: Epoch) -> str:
    """An epoch in one line."""
    parts = [f"loss {epoch.train_loss:.4f}, accuracy {epoch.train_accuracy:.4f}"]
    if epoch.validation_loss is not None and epoch.validation_accuracy is not None:
        parts.append(f"validation {epoch.validation_loss:.4f}, {epoch.validation_accuracy:.4f}")
    if epoch.seconds > 0:
        parts.append(f"{epoch.samples / epoch.seconds:,.0f} images/s")
    return ", ".join(parts)


def _make_bar(samples: int | None) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(
        total=samples, unit=" images", unit_scale=True, file=sys.stderr, dynamic_ncols=True, leave=False
    )
