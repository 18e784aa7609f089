"""What training and evaluation return."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, overload


class StepResult(NamedTuple):
    """One batch.

    Attributes:
        loss: what the criterion gave.
        correct: how many samples the model classified as labelled, by its first output and the first target;
            0 for targets that aren't labels.
        samples: in the batch; 0 where the step was skipped.
        losses: what each term of an nn.TotalLoss came to.
    """

    loss: float
    correct: int
    samples: int
    losses: Mapping[str, float] = MappingProxyType({})


class Evaluation(NamedTuple):
    """Means over samples: a loss of reduction "mean", the share of samples classified as labelled, and the
    metrics that were asked for."""

    loss: float
    accuracy: float
    samples: int
    metrics: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Epoch:
    """What one epoch of `fit` came to.

    Attributes:
        epoch: its number, from 1.
        train_loss, train_accuracy: means over its samples, while they were trained on.
        validation_loss, validation_accuracy: after it; None without validation data.
        lr: the first group's learning rate at its beginning.
        seconds: that its steps took, without the validation; nan of an epoch before a resume, or within which
            there was one.
        samples: trained on.
        metrics: what callbacks add, such as the gradient's norm.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float
    samples: int
    metrics: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """One flat dict of plain numbers, metrics among them; None for what is not finite, as JSON has it."""
        fields = asdict(self)
        flat = {**fields, **fields.pop("metrics")}
        del flat["metrics"]
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in flat.items()
        }

    def value(self, name: str) -> float | None:
        """A field or a metric by its name; None where there is none."""
        found = self.metrics.get(name, getattr(self, name, None))
        return found if isinstance(found, (int, float)) else None


class History(Sequence[Epoch]):
    """The epochs of a training, in order: history[-1].train_loss, or history.column("train_loss")."""

    def __init__(self, epochs: Sequence[Epoch] = ()) -> None:
        self._epochs = list(epochs)

    def append(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)

    def column(self, name: str) -> list[float | None]:
        """A field or metric of every epoch; None where it has none."""
        return [epoch.value(name) for epoch in self._epochs]

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> Epoch | History:
        return History(self._epochs[index]) if isinstance(index, slice) else self._epochs[index]

    def __len__(self) -> int:
        return len(self._epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self._epochs)

    def __repr__(self) -> str:
        return f"History({self._epochs!r})"


class Totals:
    """Sums over samples."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.correct = 0
        self.samples = 0
        self.metrics: dict[str, float] = {}

    def add(
        self, loss: float, correct: int, samples: int, metrics: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        if samples == 0:
            return
        self.loss += loss * samples
        self.correct += correct
        self.samples += samples
        for name, value in metrics.items():
            self.metrics[name] = self.metrics.get(name, 0.0) + value * samples

    def mean(self, what: str) -> Evaluation:
        """Means; ValueError, which names `what` was asked for, where there were no samples."""
        if self.samples == 0:
            raise ValueError(
                f"{what}: no samples; an iterator can be read once only, give a list or a Loader"
            )
        metrics = {name: value / self.samples for name, value in self.metrics.items()}
        return Evaluation(self.loss / self.samples, self.correct / self.samples, self.samples, metrics)
