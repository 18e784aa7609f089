"""What every callback is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastcnn.train.results import Epoch, StepResult
    from fastcnn.train.training import Training


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
