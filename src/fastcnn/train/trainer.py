"""The usual training loop, each step one call into the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from fastcnn import random
from fastcnn._arrays import Array
from fastcnn.calls import PlanCache, describe_arguments, read_arguments
from fastcnn.nn.loss import CrossEntropyLoss
from fastcnn.nn.module import Module, in_mode
from fastcnn.optim.sgd import SGD
from fastcnn.tensor import Tensor
from fastcnn.trace import Compiled, trace_training_step

Batches = Iterable[tuple[Any, Any]]


class StepResult(NamedTuple):
    """One batch.

    Attributes:
        loss: what the criterion gave.
        correct: how many samples the model classified as labelled; 0 for targets that aren't labels.
        samples: in the batch.
    """

    loss: float
    correct: int
    samples: int


class Evaluation(NamedTuple):
    """Means over samples: a loss of reduction "mean", and the share of samples classified as labelled."""

    loss: float
    accuracy: float
    samples: int


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
        criterion: takes the model's output and the target; CrossEntropyLoss() when left out.
        optimizer: needed for `step` and `fit` only.

    `step(x, y)` gives, bit for bit, what this loop gives:

        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    But each parameter is updated as soon as its gradient is complete, so that the memory of gradients is used
    again and again; none is left in `Parameter.grad`. Who wants to look at gradients writes the loop.
    """

    def __init__(self, model: Module, criterion: Module | None = None, optimizer: SGD | None = None) -> None:
        self._model = model
        self._criterion = CrossEntropyLoss() if criterion is None else criterion
        self.optimizer = optimizer
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
            loss, output = executor.train_step([arrays[i] for i in compiled.feeds], sgd, seed, step)
        finally:
            compiled.release(executor)
        compiled.count_run()
        return StepResult(float(loss.sum()), count_correct(output, arrays[1]), len(arrays[0]))

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
        loss, accuracy, samples = total.mean("Trainer.fit")
        epoch = Epoch(number, loss, accuracy, samples, time.perf_counter() - start)
        if on_epoch is not None:
            on_epoch(epoch)
        return epoch

    def evaluate(self, batches: Batches) -> Evaluation:
        """Mean loss and accuracy over all batches, in inference mode; the model's mode is restored.

        Raises:
            ValueError: there are no batches.
        """
        total = _Total()
        with in_mode(self.model, False):
            for x, y in batches:
                output = self.model(x)
                loss = self.criterion(output, y)
                total.add(
                    float(loss.numpy().sum()), count_correct(output.numpy(), np.asarray(y)), len(output)
                )
        return total.mean("Trainer.evaluate")

    def predict(self, x: Any) -> Array:
        """The model's output for a batch, in inference mode; the model's mode is restored."""
        with in_mode(self.model, False):
            output: Tensor = self.model(x)
        return output.numpy()

    def _fused(self, x: Any, y: Any) -> tuple[Compiled, list[Array]]:
        """The plan of model and criterion together, and x and y as arrays; the loss is output 0, the model's
        1."""
        arrays, key = read_arguments((x, y))
        compiled = self._plans.plans().get(key)
        if compiled is None:
            if not self.model.training:
                raise RuntimeError("Trainer.step: the model is in inference mode; call model.train() first")
            compiled = trace_training_step(
                self.model,
                self.criterion,
                describe_arguments(self.model, (x,), arrays[:1])[0],
                describe_arguments(self.criterion, (None, y), arrays)[1],
            )
            self._plans.add(key, compiled)
        return compiled, arrays


def count_correct(output: Array, target: Array) -> int:
    """How many rows of (n, c) are largest where labelled; 0 for targets that aren't labels."""
    if output.ndim != 2 or target.ndim != 1 or target.dtype.kind not in "iu" or len(output) == 0:
        return 0
    return int(np.count_nonzero(output.argmax(axis=1) == target))


class _Total:
    """Sums over samples."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.correct = 0
        self.samples = 0

    def add(self, loss: float, correct: int, samples: int) -> None:
        self.loss += loss * samples
        self.correct += correct
        self.samples += samples

    def mean(self, what: str) -> Evaluation:
        if self.samples == 0:
            raise ValueError(
                f"{what}: no samples; an iterator can be read once only, give a list or a Loader"
            )
        return Evaluation(self.loss / self.samples, self.correct / self.samples, self.samples)


def _with_bar(batches: Batches, label: str) -> Batches:
    try:
        from tqdm import tqdm
    except ImportError:
        return batches
    return tqdm(batches, desc=label, leave=False)  # type: ignore[no-any-return]
