"""Sizes of gradients, weights and updates."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastcnn._arrays import Array
from fastcnn.optim.clip import grad_norm
from fastcnn.train.results import Epoch, StepResult
from fastcnn.train.training import Callback, Training


class GradientNorm(Callback):
    """The Euclidean norm of all gradients as one vector, before clipping: as metrics of the epoch their mean
    "gradient_norm" and largest "gradient_norm_max". It needs gradients: see Callback.on_gradients."""

    def __init__(self) -> None:
        self.last = 0.0
        self._sum = 0.0
        self._max = 0.0
        self._steps = 0

    def on_epoch_begin(self, training: Training) -> None:
        self._sum, self._max, self._steps = 0.0, 0.0, 0

    def on_gradients(self, training: Training) -> None:
        norm = grad_norm(training.model.parameters())
        if np.isfinite(norm):
            self.last = norm
            self._sum += norm
            self._max = max(self._max, norm)
            self._steps += 1

    def metrics(self, training: Training) -> Mapping[str, float]:
        return {"gradient_norm": self._sum / max(self._steps, 1), "gradient_norm_max": self._max}

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last, "sum": self._sum, "max": self._max, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.last, self._sum, self._max, self._steps = (
            state[name] for name in ("last", "sum", "max", "steps")
        )


class UpdateRatio(Callback):
    """How large an update is beside the weights, parameter by parameter, as cuda-convnet prints them: mean
    magnitudes of the weights and of their last update. Healthy ones are about a thousandth; far more shakes,
    far less stands still.

    The last step of an epoch is looked at, where the batches have a length, else the first. The metric
    "update_ratio/<parameter>" is the one by the other.

    Args:
        show: also prints a line per parameter after each epoch, on stderr.

    Attributes:
        sizes: of the last epoch, by parameter: mean magnitudes of weights and update.
    """

    def __init__(self, show: bool = False) -> None:
        self.show = show
        self.sizes: dict[str, tuple[float, float]] = {}
        self._before: dict[str, Array] = {}

    def on_epoch_begin(self, training: Training) -> None:
        self.sizes = {}
        self._look(training)

    def on_step_end(self, training: Training, result: StepResult) -> None:
        if self._before:
            for name, parameter in training.model.named_parameters():
                update = np.abs(parameter.value - self._before[name]).mean(dtype=np.float64)
                self.sizes[name] = (float(np.abs(parameter.value).mean(dtype=np.float64)), float(update))
            self._before = {}
        self._look(training)

    def _look(self, training: Training) -> None:
        """Keeps the weights if the next step is the one."""
        try:
            chosen = len(training.train) - 1  # type: ignore[arg-type]
        except TypeError:
            chosen = 0
        if training.batch == chosen:
            self._before = {name: np.array(p.value) for name, p in training.model.named_parameters()}

    def metrics(self, training: Training) -> Mapping[str, float]:
        return {
            f"update_ratio/{name}": update / weight for name, (weight, update) in self.sizes.items() if weight
        }

    def on_epoch_end(self, training: Training, epoch: Epoch) -> None:
        if self.show:
            width = max(map(len, self.sizes), default=0)
            for name, (weight, update) in self.sizes.items():
                print(f"  {name:<{width}}  {weight:.3e} [{update:.3e}]", file=sys.stderr)

    def state_dict(self) -> dict[str, Any]:
        return {"sizes": {name: list(sizes) for name, sizes in self.sizes.items()}, "before": self._before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.sizes = {name: (weight, update) for name, (weight, update) in state["sizes"].items()}
        self._before = dict(state["before"])
