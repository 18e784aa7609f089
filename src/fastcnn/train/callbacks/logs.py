"""A line per epoch, in a file."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

from fastcnn.train.checkpoint import write_atomically
from fastcnn.train.results import Epoch
from fastcnn.train.training import Callback, Training


class _Log(Callback):
    """A file that gets lines at the end of each epoch. A resumed training keeps those of the epochs before,
    and drops what a killed one wrote for later ones."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def on_train_begin(self, training: Training) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        expected = [line for epoch in training.history for line in self._lines(epoch)]
        found = self.path.read_text(encoding="utf-8").splitlines(True) if self.path.exists() else []
        whole = [line for line in found if line.endswith("\n")]
        kept = whole[: len(expected)] + expected[len(whole) :]
        write_atomically(self.path, "".join(kept).encode())

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        with open(self.path, "ab") as file:
            file.write("".join(self._lines(epoch)).encode())

    def _lines(self, epoch: Epoch) -> list[str]:
        raise NotImplementedError


class JSONLog(_Log):
    """One JSON object per epoch and line, what Epoch.to_dict() gives: epoch, train_loss, train_accuracy,
    validation_loss, validation_accuracy, lr, seconds, samples, and the callbacks' metrics."""

    def _lines(self, epoch: Epoch) -> list[str]:
        return [json.dumps(epoch.to_dict(), allow_nan=False) + "\n"]


class CSVLog(_Log):
    """The same as comma-separated values below a line with their names; what is None stays empty. The names
    are those of the first epoch."""

    def _lines(self, epoch: Epoch) -> list[str]:
        fields = epoch.to_dict()
        head = [_row(fields)] if epoch.epoch == 1 else []
        return [*head, _row("" if value is None else value for value in fields.values())]


def _row(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
