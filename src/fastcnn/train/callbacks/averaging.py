"""Averages of the weights along the way [Polyak and Juditsky 1992]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcnn._arrays import Array
from fastcnn.nn.module import Module
from fastcnn.train.callbacks.base import Callback

if TYPE_CHECKING:
    from fastcnn.train.results import StepResult
    from fastcnn.train.training import Training


class _Average(Callback):
    """An average of parameters and running statistics; counters are those of the model. It is what is
    validated and saved as the best, and what the model has in the end.

    Attributes:
        average: by path, as `Module.state_dict`; empty before the first.
        count: how many weights it has seen.
    """

    def __init__(self) -> None:
        self.average: dict[str, Array] = {}
        self.count = 0

    def _add(self, model: Module, share: float) -> None:
        """average += share (weights - average)."""
        self.count += 1
        if not self.average:
            self.average = model.state_dict()
            return
        for name, value in model.named_state():
            own = self.average[name]
            if own.dtype.kind == "f":
                own += own.dtype.type(share) * (value.value - own)
            else:
                own[...] = value.value

    @contextmanager
    def evaluation_weights(self, training: Training) -> Iterator[None]:
        if not self.average:
            yield
            return
        own = training.model.state_dict()
        training.model.load_state_dict(self.average)
        try:
            yield
        finally:
            training.model.load_state_dict(own)

    def on_train_end(self, training: Training) -> None:
        if self.average:
            training.model.load_state_dict(self.average)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "average": self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count = int(state["count"])
        self.average = {name: np.array(array) for name, array in state["average"].items()}


class EMA(_Average):
    """Exponential moving average: after each step a = decay a + (1 - decay) w, beginning with a = w.

    Args:
        decay: from 0 to below 1; about so much that 1 / (1 - decay) steps are a few epochs.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: decay is {decay}, expected from 0 to below 1")
        super().__init__()
        self.decay = decay

    def on_step_end(self, training: Training, result: StepResult) -> None:
        if result.samples:
            self._add(training.model, 1 - self.decay)


class SWA(_Average):
    """Stochastic weight averaging [Izmailov et al. 2018, algorithm 1]: the mean of the weights after each
    epoch from one on, best with a learning rate that stays high. Running statistics of batch norms are
    averaged, too, instead of taken anew.

    Args:
        start: the first epoch that counts, from 1.
    """

    def __init__(self, start: int) -> None:
        if start < 1:
            raise ValueError(f"SWA: start is {start}, expected an epoch from 1")
        super().__init__()
        self.start = start

    def on_epoch_trained(self, training: Training) -> None:
        if training.epoch + 1 >= self.start:
            self._add(training.model, 1 / (self.count + 1))
