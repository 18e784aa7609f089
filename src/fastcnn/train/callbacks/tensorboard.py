"""Curves for TensorBoard; needs tensorboardX, an extra."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastcnn.train.results import Epoch
from fastcnn.train.training import Callback, Training


class TensorBoard(Callback):
    """Writes the numbers of each epoch as scalars, by its number, to an event file in `folder`.

    Raises:
        ImportError: tensorboardX isn't installed: pip install 'fastcnn[tensorboard]'.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            import tensorboardX
        except ImportError as error:
            raise ImportError("TensorBoard needs tensorboardX: pip install 'fastcnn[tensorboard]'") from error
        self.folder = Path(folder)
        self._module: Any = tensorboardX
        self._writer: Any = None

    def on_train_begin(self, training: Training) -> None:
        self._writer = self._module.SummaryWriter(str(self.folder), purge_step=training.epoch + 1)

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        for name, value in epoch.to_dict().items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, value, epoch.epoch)
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
