"""Checkpoints of a training: the last, the one before, and the best."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastcnn.train.callbacks.base import Callback
from fastcnn.train.callbacks.stopping import is_better
from fastcnn.train.checkpoint import CheckpointError, check_file, flush_folder, save_checkpoint
from fastcnn.train.nonfinite import check_weights

if TYPE_CHECKING:
    from fastcnn.train.results import Epoch, StepResult
    from fastcnn.train.training import Training

LAST = "last.safetensors"
PREVIOUS = "previous.safetensors"
BEST = "best.safetensors"


class Checkpoint(Callback):
    """Writes to a folder last.safetensors, from which training resumes to the bit, after each epoch, every so
    many steps, and when training stops within an epoch; the one before stays as previous.safetensors, should
    the last get damaged. best.safetensors has the weights of the best epoch, an average where one is taken.

    Each file is written aside, flushed to the disk and then renamed, so that whatever happens, a whole one is
    there. Weights that are not finite are not saved.

    Args:
        folder: made if need be.
        every: steps from one checkpoint to the next; None: after epochs alone.
        monitor: a field or metric of the epoch that says which is the best; "..._accuracy" is to be large,
            all others small. None: the validation loss, or without validation data the latest is the best.

    Raises:
        OSError: from `fit`, a file can't be written; those that were there stay.
        NonFiniteError: from `fit`, weights are not finite.
    """

    runs_last = True

    def __init__(
        self, folder: str | os.PathLike[str], every: int | None = None, monitor: str | None = None
    ) -> None:
        if every is not None and every < 1:
            raise ValueError(f"Checkpoint: every is {every}, expected at least 1")
        self.folder = Path(folder)
        self.every = every
        self.monitor = monitor
        self._best: float | None = None

    def on_train_begin(self, training: Training) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(".*.partial"):
            path.unlink()  # a process that was killed was writing it

    def on_step_end(self, training: Training, result: StepResult) -> None:
        if training.stopping or (self.every is not None and training.step % self.every == 0):
            check_weights(training.model, training.step)
            self._save_last(training)

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        check_weights(training.model, training.step)
        monitor = self.monitor or "validation_loss"
        value = epoch.value(monitor)
        if value is None and self.monitor is not None:
            raise ValueError(f"Checkpoint: no {monitor} in epoch {epoch.epoch}")
        improved = value is None or (not math.isnan(value) and is_better(monitor, value, self._best))
        if improved:
            self._best = value
        if improved or not (self.folder / BEST).exists():
            with training.evaluation_weights():
                save_checkpoint(self.folder / BEST, training.model, step=training.step, epoch=epoch.epoch)
        self._save_last(training)

    def _save_last(self, training: Training) -> None:
        fresh = self.folder / f".{LAST}.new"
        training.save(fresh)
        last = self.folder / LAST
        if last.exists():
            os.replace(last, self.folder / PREVIOUS)
        os.replace(fresh, last)
        flush_folder(self.folder)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best = state["best"]


def find_checkpoint(folder: Path) -> tuple[Path, list[str]]:
    """The newest whole checkpoint of a folder to resume from, and what is wrong with newer ones.

    Raises:
        CheckpointError: there is none.
    """
    damaged = []
    for name in (LAST, PREVIOUS):
        path = folder / name
        try:
            check_file(path)
        except FileNotFoundError:
            continue
        except CheckpointError as error:
            damaged.append(str(error))
        else:
            return path, damaged
    raise CheckpointError("; ".join(damaged) if damaged else f"{folder}: no checkpoint to resume from")
