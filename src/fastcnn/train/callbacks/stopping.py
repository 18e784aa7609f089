"""When to stop."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastcnn._arrays import Array
from fastcnn.train.callbacks.base import Callback

if TYPE_CHECKING:
    from fastcnn.train.results import Epoch, StepResult
    from fastcnn.train.training import Training


def is_better(monitor: str, value: float, best: float | None, by: float = 0.0) -> bool:
    """Whether a value improves on the best so far by more than `by`: accuracies are to grow, all else to
    fall."""
    if best is None:
        return True
    gain = value - best if monitor.endswith("accuracy") else best - value
    return gain > by


class EarlyStopping(Callback):
    """Stops when a value has not improved for more than `patience` epochs, and in the end gives the model
    back the weights of the best epoch.

    Args:
        monitor: field or metric of the epoch; "..._accuracy" is to be large, all others small. The validation
            loss when left out.
        patience: epochs without improvement that are borne; None never stops, and restores the best alone.
        min_delta: the least improvement that counts, in the value's units.
        restore_best: without it the model keeps its last weights.

    Raises:
        ValueError: patience below 0; from `fit`, epochs don't have the value.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int | None = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        if patience is not None and patience < 0:
            raise ValueError(f"EarlyStopping: patience is {patience}, expected at least 0")
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.best: float | None = None
        self.best_epoch = 0
        self._waited = 0
        self._weights: dict[str, Array] = {}

    def on_train_begin(self, training: Training) -> None:
        self._stop_if_due(training)

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        value = epoch.value(self.monitor)
        if value is None:
            raise ValueError(f"EarlyStopping: no {self.monitor} in epoch {epoch.epoch}")
        if not math.isnan(value) and is_better(self.monitor, value, self.best, self.min_delta):
            self.best, self.best_epoch, self._waited = value, epoch.epoch, 0
            if self.restore_best:
                with training.evaluation_weights():
                    self._weights = training.model.state_dict()
        else:
            self._waited += 1
        self._stop_if_due(training)

    def _stop_if_due(self, training: Training) -> None:
        if self.patience is not None and self._waited > self.patience:
            training.stop()

    def on_train_end(self, training: Training) -> None:
        if self._weights:
            training.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch, self._waited = state["best"], state["best_epoch"], state["waited"]
        self._weights = dict(state["weights"])


class Interrupt(Callback):
    """Ctrl-C ends the training after the step that is running, so that a Checkpoint saves it; a second one
    ends it at once. Does nothing outside the main thread, where Python has no signals.

    Attributes:
        stopped: whether training was ended so.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._pending = False
        self._before: Any = None

    def on_train_begin(self, training: Training) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._catch)

    def _catch(self, *_: Any) -> None:
        self._pending = True
        self.close()

    def on_step_end(self, training: Training, result: StepResult) -> None:
        self._stop_if_asked(training)

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        if training.epoch < training.epochs:
            self._stop_if_asked(training)

    def _stop_if_asked(self, training: Training) -> None:
        if self._pending:
            self.stopped = True
            training.stop()

    def close(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
