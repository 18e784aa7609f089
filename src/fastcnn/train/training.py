"""State of one fit run, which `Trainer.fit` makes, and the callbacks that see it."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from fastcnn.nn.module import Module
from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.plateau import ReduceLROnPlateau
from fastcnn.optim.schedule import Schedule
from fastcnn.train.checkpoint import (
    CheckpointError,
    join_arrays,
    load_checkpoint,
    save_checkpoint,
    split_arrays,
)
from fastcnn.train.checkpoint_folder import find_checkpoint
from fastcnn.train.nonfinite import NonFiniteError
from fastcnn.train.results import Epoch, Evaluation, History, StepResult, Totals

Batches = Iterable[tuple[Any, Any]]
Watcher = Callable[[], None]


class AnyTrainer(Protocol):
    """What a fit run asks of the `fastcnn.Trainer` that made it."""

    optimizer: Optimizer | None
    schedule: Schedule | ReduceLROnPlateau | None
    schedule_every: str
    steps: int

    @property
    def model(self) -> Module: ...

    def step(self, x: Any, y: Any, watchers: Sequence[Watcher] = ()) -> StepResult: ...

    def evaluate(self, batches: Batches) -> Evaluation: ...


class Callback:
    """Something that `Trainer.fit` calls while it trains; each method does nothing unless overridden.

    `training` knows the trainer and its model, and where it stands: `training.step`, `epoch`, `batch`,
    `history`; `training.stop()` ends it. Callbacks are called in the order given, those that write
    checkpoints last.
    """

    runs_last = False

    def on_train_begin(self, training: Training) -> None:
        """Before the first epoch, after a resume."""

    def on_epoch_begin(self, training: Training) -> None:
        """Before an epoch's first step; not again when an epoch is resumed."""

    def on_gradients(self, training: Training) -> None:
        """When every parameter has its gradient, before clipping and the update. Who overrides it makes each
        step the explicit loop, which is slower than the fused step and has the same bits."""

    def on_step_end(self, training: Training, result: StepResult) -> None:
        """After each step."""

    def on_epoch_trained(self, training: Training) -> None:
        """After an epoch's last step, before its validation."""

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        """After each epoch and its validation; `epoch` is in the history already."""

    def on_train_end(self, training: Training) -> None:
        """After the last epoch or `training.stop()`, unless there was an error."""

    def close(self) -> None:
        """At the very end, after errors, too."""

    def metrics(self, training: Training) -> Mapping[str, float]:
        """What to add to the record of the epoch that is ending."""
        return {}

    def evaluation_weights(self, training: Training) -> AbstractContextManager[None]:
        """Gives the model, for the length of a block, the weights to validate."""
        return nullcontext()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep for an exact resume: numbers, texts, lists, arrays, dicts of them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""


class Training:
    """State of one fit run, and its loop.

    Attributes:
        trainer, train, epochs, validation_data, callbacks: as given to `fit`.
        history: the epochs so far.
        epoch: how many are finished.
        batch: how many batches of the next one are done.
        skipped: how many steps of the next one were skipped because they were not finite.
        stopping: whether `stop` was called.
    """

    def __init__(
        self,
        trainer: AnyTrainer,
        train: Batches,
        epochs: int,
        validation_data: Batches | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.trainer = trainer
        self.train = train
        self.epochs = epochs
        self.validation_data = validation_data
        self.callbacks = sorted(callbacks, key=lambda callback: callback.runs_last)
        self.history = History()
        self.epoch = 0
        self.batch = 0
        self.skipped = 0
        self.stopping = False
        self._lr = math.nan
        self._order: int | None = None
        self._totals = Totals()
        self._watchers = [
            _watcher(callback, self)
            for callback in self.callbacks
            if type(callback).on_gradients is not Callback.on_gradients
        ]

    @property
    def model(self) -> Module:
        return self.trainer.model

    @property
    def step(self) -> int:
        """How many steps the trainer has done."""
        return self.trainer.steps

    @property
    def totals(self) -> Totals:
        """Sums over the samples of the next epoch so far."""
        return self._totals

    def stop(self) -> None:
        """Ends the training after the step or the epoch that is just ending."""
        self.stopping = True

    def run(self) -> History:
        """Trains to the end, or until `stop`."""
        try:
            for callback in self.callbacks:
                callback.on_train_begin(self)
            while self.epoch < self.epochs and not self.stopping:
                self._run_epoch()
            for callback in self.callbacks:
                callback.on_train_end(self)
        finally:
            for callback in self.callbacks:
                callback.close()
        return self.history

    def _run_epoch(self) -> None:
        if self.batch == 0:
            self._totals, self.skipped = Totals(), 0
            self._lr = self.trainer.optimizer.param_groups[0]["lr"] if self.trainer.optimizer else math.nan
            self._order = getattr(self.train, "epoch", None)
            for callback in self.callbacks:
                callback.on_epoch_begin(self)
        self.model.train()
        done = self.batch  # before a resume
        if done and hasattr(self.train, "start"):
            self.train.start, done = done, 0
        start = math.nan if self.batch else time.perf_counter()
        for number, (x, y) in enumerate(self.train):
            if number < done:
                continue
            result = self.trainer.step(x, y, self._watchers)
            self.batch += 1
            self.skipped += math.isnan(result.loss)
            self._totals.add(result.loss, result.correct, result.samples)
            for callback in self.callbacks:
                callback.on_step_end(self, result)
            if self.stopping:
                return
        self._end_epoch(time.perf_counter() - start)

    def _end_epoch(self, seconds: float) -> None:
        if self.skipped == self.batch > 0:
            message = f"all {self.batch} steps of epoch {self.epoch + 1} were skipped: none was finite"
            raise NonFiniteError(message, self.step, "the loss")
        loss, accuracy, samples, _ = self._totals.mean("Trainer.fit")
        for callback in self.callbacks:
            callback.on_epoch_trained(self)
        validation = self._validate()
        schedule = self.trainer.schedule
        if schedule is not None and self.trainer.schedule_every == "epoch":
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(loss)
            else:
                schedule.step()
        metrics = {
            name: float(value)
            for callback in self.callbacks
            for name, value in callback.metrics(self).items()
        }
        epoch = Epoch(
            self.epoch + 1,
            loss,
            accuracy,
            None if validation is None else validation.loss,
            None if validation is None else validation.accuracy,
            self._lr,
            seconds,
            samples,
            metrics,
        )
        self.history.append(epoch)
        self.epoch += 1
        self.batch = 0
        for callback in self.callbacks:
            callback.on_epoch_end(self, epoch)

    def _validate(self) -> Evaluation | None:
        if self.validation_data is None:
            return None
        with self.evaluation_weights():
            return self.trainer.evaluate(self.validation_data)

    @contextmanager
    def evaluation_weights(self) -> Iterator[None]:
        """For the length of a block, the model has the weights that are validated, and kept where they are
        the best: its own, or their average where a callback takes one."""
        with ExitStack() as stack:
            for callback in self.callbacks:
                stack.enter_context(callback.evaluation_weights(self))
            yield

    # Checkpoints

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint from which `Trainer.fit(resume=path)` goes on to the bit.

        Raises:
            OSError: the file can't be written; the one that was there is as it was.
        """
        order = getattr(self.train, "epoch", None) if self.batch == 0 else self._order
        state, arrays = split_arrays(
            {name: callback.state_dict() for name, callback in self._named_callbacks()}
        )
        epochs = [{**vars(epoch), "seconds": None} for epoch in self.history]  # clocks differ, bytes don't
        position = {
            "batch": self.batch,
            "skipped": self.skipped,
            "order": order,
            "lr": self._lr,
            "totals": [self._totals.loss, self._totals.correct, self._totals.samples],
            "history": epochs,
            "callbacks": state,
        }
        save_checkpoint(
            path,
            self.model,
            self.trainer.optimizer,
            schedule=self.trainer.schedule,
            step=self.step,
            epoch=self.epoch,
            metadata={"training": position},
            tensors=arrays,
        )

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Goes on from a checkpoint, or from the newest whole one of a folder (see `Trainer.fit`)."""
        file = Path(path)
        if file.is_dir():
            file, damaged = find_checkpoint(file)
            for message in damaged:
                warnings.warn(message, stacklevel=3)
        saved = load_checkpoint(file, self.model, self.trainer.optimizer, schedule=self.trainer.schedule)
        try:
            position = saved.metadata["training"]
            self.batch, self.skipped = int(position["batch"]), int(position["skipped"])
            self._order, self._lr = position["order"], float(position["lr"])
            self._totals.loss, self._totals.correct, self._totals.samples = position["totals"]
            self.history = History([Epoch(**{**e, "seconds": math.nan}) for e in position["history"]])
            states = join_arrays(position["callbacks"], saved.tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{file}: not a checkpoint of a training: {error}") from error
        self.trainer.steps, self.epoch = saved.step, saved.epoch
        if self._order is not None:
            self.train.epoch = self._order  # type: ignore[attr-defined]
        for name, callback in self._named_callbacks():
            if name in states:
                callback.load_state_dict(states[name])

    def _named_callbacks(self) -> Iterator[tuple[str, Callback]]:
        """The kinds of the callbacks, numbered where there are several of a kind."""
        counts: dict[str, int] = {}
        for callback in self.callbacks:
            kind = type(callback).__name__
            counts[kind] = counts.get(kind, 0) + 1
            yield kind if counts[kind] == 1 else f"{kind}#{counts[kind]}", callback


def _watcher(callback: Callback, training: Training) -> Watcher:
    return lambda: callback.on_gradients(training)
