"""The usual training loop, each step one call into the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from fastcnn import random
from fastcnn._arrays import Array
from fastcnn.calls import PlanCache, describe_arguments, is_several, read_arguments, spread
from fastcnn.metrics import count_correct
from fastcnn.nn.loss import CrossEntropyLoss
from fastcnn.nn.module import Module, in_mode
from fastcnn.optim.plateau import ReduceLROnPlateau
from fastcnn.optim.schedule import Schedule
from fastcnn.optim.sgd import SGD
from fastcnn.trace import Compiled, trace_training_step

Batches = Iterable[tuple[Any, Any]]


class StepResult(NamedTuple):
    """One batch.

    Attributes:
        loss: what the criterion gave.
        correct: how many samples the model classified as labelled, by its first output and the first target;
            0 for targets that aren't labels.
        samples: in the batch.
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


class Epoch(NamedTuple):
    """What one epoch of `fit` came to; loss and accuracy are means over its samples, while they were trained
    on."""

    number: int
    loss: float
    accuracy: float
    samples: int
    seconds: float


class Trainer:
    """Trains a model by SGD.

    Args:
        model: the network.
        criterion: takes the model's output and the target; CrossEntropyLoss() when left out. For a model of
            several outputs, or several losses of one, an nn.TotalLoss, or a module of one's own.
        optimizer: needed for `step` and `fit` only.
        schedule: of the optimizer's learning rates, such as an optim.CosineAnnealingLR.
        schedule_every: "step" or "epoch": after which the schedule goes a step on. After epochs `fit` does
            it, and tells an optim.ReduceLROnPlateau their mean loss.

    x may be a tuple of arrays, the inputs of a model that has several, and y a tuple of targets.

    `step(x, y)` gives, bit for bit, what this loop gives:

        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    But each parameter is updated as soon as its gradient is complete, so that the memory of gradients is used
    again and again; none is left in `Parameter.grad`. Who wants to look at gradients writes the loop.
    """

    def __init__(
        self,
        model: Module,
        criterion: Module | None = None,
        optimizer: SGD | None = None,
        schedule: Schedule | ReduceLROnPlateau | None = None,
        schedule_every: str = "step",
    ) -> None:
        if schedule_every not in ("step", "epoch"):
            raise ValueError(f'Trainer: schedule_every is {schedule_every!r}, expected "step" or "epoch"')
        if isinstance(schedule, ReduceLROnPlateau) and schedule_every == "step":
            raise ValueError('Trainer: ReduceLROnPlateau goes by epochs; give schedule_every="epoch"')
        self._model = model
        self._criterion = CrossEntropyLoss() if criterion is None else criterion
        self.optimizer = optimizer
        self.schedule = schedule
        self.schedule_every = schedule_every
        self._plans = PlanCache(model, self._criterion)

    @property
    def model(self) -> Module:
        return self._model

    @property
    def criterion(self) -> Module:
        return self._criterion

    def step(self, x: Any, y: Any) -> StepResult:
        """One step of training on one batch: forward, loss, backward, update, in one call into the core.

        The model must be in training mode. A loss of reduction "none" is summed. Afterwards `grad` is None
        for all parameters of model and optimizer.

        Raises:
            ValueError, TypeError: inputs that don't fit the model; the message names the layer.
            RuntimeError: no optimizer, or the model is in inference mode.
        """
        if self.optimizer is None:
            raise RuntimeError("Trainer.step: no optimizer was given")
        sgd = self.optimizer._prepared()
        compiled, arrays = self._fused(x, y)
        executor = compiled.acquire()
        seed, step = random.next_step() if compiled.is_random else (0, 0)
        try:
            loss, output, *reported = executor.train_step(
                [arrays[i] for i in compiled.feeds], sgd, seed, step
            )
        finally:
            compiled.release(executor)
        compiled.count_run()
        if self.schedule_every == "step" and isinstance(self.schedule, Schedule):
            self.schedule.step()
        losses = {name: float(value) for name, value in zip(compiled.reported, reported, strict=True)}
        target = arrays[len(x) if is_several(x) else 1]
        return StepResult(float(loss.sum()), count_correct(output, target), len(arrays[0]), losses)

    def fit(
        self,
        batches: Batches,
        epochs: int = 1,
        *,
        on_step: Callable[[StepResult], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        progress: bool = False,
    ) -> list[Epoch]:
        """Trains on all batches, `epochs` times; puts the model into training mode.

        Args:
            batches: of (x, y), iterated once per epoch, such as a `fastcnn.data.Loader`.
            on_step, on_epoch: called after each; to change the learning rate, or to save checkpoints.
            progress: shows a bar, if tqdm is installed.

        Raises:
            ValueError: an epoch without batches.
        """
        return [self._epoch(batches, number, on_step, on_epoch, progress) for number in range(epochs)]

    def _epoch(
        self,
        batches: Batches,
        number: int,
        on_step: Callable[[StepResult], None] | None,
        on_epoch: Callable[[Epoch], None] | None,
        progress: bool,
    ) -> Epoch:
        self.model.train()
        start = time.perf_counter()
        total = _Total()
        for x, y in _with_bar(batches, f"epoch {number + 1}") if progress else batches:
            result = self.step(x, y)
            total.add(result.loss, result.correct, result.samples)
            if on_step is not None:
                on_step(result)
        loss, accuracy, samples, _ = total.mean("Trainer.fit")
        epoch = Epoch(number, loss, accuracy, samples, time.perf_counter() - start)
        if self.schedule is not None and self.schedule_every == "epoch":
            if isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step(loss)
            else:
                self.schedule.step()
        if on_epoch is not None:
            on_epoch(epoch)
        return epoch

    def evaluate(
        self, batches: Batches, metrics: Mapping[str, Callable[[Array, Array], float]] | None = None
    ) -> Evaluation:
        """Mean loss and accuracy over all batches, in inference mode; the model's mode is restored.

        Args:
            metrics: more means to take, by name: functions of the first output and the first target of a
                batch that return its mean, such as `fastcnn.metrics.top_k_error`.

        Raises:
            ValueError: there are no batches.
        """
        total = _Total()
        with in_mode(self.model, False):
            for x, y in batches:
                output = self.model(*(x if is_several(x) else (x,)))
                loss = self.criterion(output, y)
                scores = _first(output).numpy()
                target = np.asarray(_first(y))
                values = {name: metric(scores, target) for name, metric in (metrics or {}).items()}
                total.add(float(loss.numpy().sum()), count_correct(scores, target), len(scores), values)
        return total.mean("Trainer.evaluate")

    def predict(self, x: Any) -> Any:
        """The model's output for a batch, in inference mode; the model's mode is restored. A tuple for a
        model of several outputs."""
        with in_mode(self.model, False):
            output = self.model(*(x if is_several(x) else (x,)))
        if isinstance(output, (tuple, list)):
            return tuple(value.numpy() for value in output)
        return output.numpy()

    def _fused(self, x: Any, y: Any) -> tuple[Compiled, list[Array]]:
        """The plan of model and criterion together, and x and y as arrays; the loss is output 0, the model's
        1."""
        values, form = spread((x, y))
        arrays, key = read_arguments(values)
        key = key if form is None else (form, key)
        compiled = self._plans.plans().get(key)
        if compiled is None:
            if not self.model.training:
                raise RuntimeError("Trainer.step: the model is in inference mode; call model.train() first")
            count = len(x) if is_several(x) else 1
            several = is_several(y)
            # The criterion's first argument is the output, which the plan makes itself.
            _, *targets = describe_arguments(
                self.criterion,
                [None, *values[count:]],
                [arrays[0], *arrays[count:]],
                (None, len(y) if several else None),
            )
            compiled = trace_training_step(
                self.model,
                self.criterion,
                describe_arguments(self.model, values[:count], arrays[:count]),
                targets if several else targets[0],
            )
            self._plans.add(key, compiled)
        return compiled, arrays


def _first(values: Any) -> Any:
    """The first of several values, or the one."""
    return values[0] if isinstance(values, list) or is_several(values) else values


class _Total:
    """Sums over samples."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.correct = 0
        self.samples = 0
        self.metrics: dict[str, float] = {}

    def add(
        self, loss: float, correct: int, samples: int, metrics: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        self.loss += loss * samples
        self.correct += correct
        self.samples += samples
        for name, value in metrics.items():
            self.metrics[name] = self.metrics.get(name, 0.0) + value * samples

    def mean(self, what: str) -> Evaluation:
        if self.samples == 0:
            raise ValueError(
                f"{what}: no samples; an iterator can be read once only, give a list or a Loader"
            )
        metrics = {name: value / self.samples for name, value in self.metrics.items()}
        return Evaluation(self.loss / self.samples, self.correct / self.samples, self.samples, metrics)


def _with_bar(batches: Batches, label: str) -> Batches:
    try:
        from tqdm import tqdm
    except ImportError:
        return batches
    return tqdm(batches, desc=label, leave=False)  # type: ignore[no-any-return]
