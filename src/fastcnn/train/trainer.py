"""The usual training step, one call into the core, and the loop around it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastcnn import optim, random
from fastcnn._arrays import Array
from fastcnn.engine.arguments import Form, describe_arguments, flatten, read_arguments
from fastcnn.engine.compiled import Compiled, trace_training_step
from fastcnn.engine.plan_cache import PlanCache
from fastcnn.metrics import count_correct
from fastcnn.nn.loss import CrossEntropyLoss, TotalLoss
from fastcnn.nn.module import Module, in_mode
from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.plateau import ReduceLROnPlateau
from fastcnn.optim.schedule import Schedule
from fastcnn.train.nonfinite import NonFiniteError, first_nonfinite
from fastcnn.train.results import Evaluation, History, StepResult, Totals
from fastcnn.train.training import Batches, Callback, Training, Watcher


class Trainer:
    """Trains a model by gradient descent.

    Args:
        model: the network.
        criterion: takes the model's output and the target; CrossEntropyLoss() when left out. For a model of
            several outputs, or several losses of one, an nn.TotalLoss, or a module of one's own.
        optimizer: needed for `step` and `fit` only.
        schedule: of the optimizer's learning rates, such as an optim.CosineAnnealingLR.
        schedule_every: "step" or "epoch": after which the schedule goes a step on. After epochs `fit` does
            it, and tells an optim.ReduceLROnPlateau their mean training loss.
        accumulate: each batch goes through the network in so many parts, whose gradients are added up: the
            memory of a part, and the update of the whole batch. Means over the batch come out the same, but
            for a loss with class weights or ignored labels, whose parts count by their samples, and for
            batch norm, which sees parts.
        clip_norm: the gradients' largest Euclidean norm (see optim.clip_grad_norm_), or None.
        clip_value: the largest magnitude of a gradient's element, or None.
        on_nan: "raise" a NonFiniteError where the loss is not finite, or "skip" such steps, and those whose
            gradients are not finite.

    x may be a tuple of arrays, the inputs of a model that has several, and y a tuple of targets.

    `step(x, y)` gives, bit for bit, what this loop gives:

        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    But each parameter is updated as soon as its gradient is complete, so that the memory of gradients is used
    again and again; none is left in `Parameter.grad`. With one of the last four settings, or a callback that
    looks at gradients, a step is that loop.

    Attributes:
        steps: how many there were.
    """

    def __init__(
        self,
        model: Module,
        criterion: Module | None = None,
        optimizer: Optimizer | None = None,
        schedule: Schedule | ReduceLROnPlateau | None = None,
        schedule_every: str = "step",
        *,
        accumulate: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        on_nan: str = "raise",
    ) -> None:
        if schedule_every not in ("step", "epoch"):
            raise ValueError(f'Trainer: schedule_every is {schedule_every!r}, expected "step" or "epoch"')
        if isinstance(schedule, ReduceLROnPlateau) and schedule_every == "step":
            raise ValueError('Trainer: ReduceLROnPlateau goes by epochs; give schedule_every="epoch"')
        if accumulate < 1:
            raise ValueError(f"Trainer: accumulate is {accumulate}, expected at least 1")
        if on_nan not in ("raise", "skip"):
            raise ValueError(f'Trainer: on_nan is {on_nan!r}, expected "raise" or "skip"')
        for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if bound is not None and not bound > 0:
                raise ValueError(f"Trainer: {name} is {bound}, expected above 0")
        self._model = model
        self._criterion = CrossEntropyLoss() if criterion is None else criterion
        self.optimizer = optimizer
        self.schedule = schedule
        self.schedule_every = schedule_every
        self.accumulate = accumulate
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.on_nan = on_nan
        self.steps = 0
        self._plans = PlanCache(model, self._criterion)

    @property
    def model(self) -> Module:
        return self._model

    @property
    def criterion(self) -> Module:
        return self._criterion

    def step(self, x: Any, y: Any, watchers: Sequence[Watcher] = ()) -> StepResult:
        """One step of training on one batch: forward, loss, backward, update, in one call into the core.

        The model must be in training mode. A loss of reduction "none" is summed. Afterwards `grad` is None
        for all parameters of model and optimizer.

        Args:
            watchers: called before the update, while every parameter has its gradient, as it was before it
                is clipped.

        Raises:
            ValueError, TypeError: inputs that don't fit the model; the message names the layer.
            RuntimeError: no optimizer, or the model is in inference mode.
            NonFiniteError: the loss is not finite; the message names the first layer. Nothing was updated.
        """
        if self.optimizer is None:
            raise RuntimeError("Trainer.step: no optimizer was given")
        values, form = flatten((x, y))
        if watchers or self.accumulate > 1 or self.clip_norm or self.clip_value or self.on_nan == "skip":
            result = self._step_by_parts(self.optimizer, values, form, watchers)
        else:
            result = self._step_at_once(self.optimizer, values, form)
        self.steps += 1
        if self.schedule_every == "step" and isinstance(self.schedule, Schedule):
            self.schedule.step()
        return result

    def _step_at_once(self, optimizer: Optimizer, values: Sequence[Any], form: Form | None) -> StepResult:
        core = optimizer._prepared()
        compiled, arrays = self._compiled(values, form)
        executor = compiled.acquire()
        random_step = random.next_step() if compiled.is_random else (0, 0)
        try:
            outputs = executor.train_step([arrays[i] for i in compiled.feeds], core, *random_step)
        finally:
            compiled.release(executor)
        compiled.count_run()
        result = _result(compiled, outputs, form, arrays)
        if result.samples and not math.isfinite(result.loss):
            raise self._nonfinite_loss(result.loss, values[: _num_inputs(form)], arrays, random_step)
        return result

    def _step_by_parts(
        self, optimizer: Optimizer, values: Sequence[Any], form: Form | None, watchers: Sequence[Watcher]
    ) -> StepResult:
        """The loop: gradients of all parts, what looks at them, the update."""
        skip = self.on_nan == "skip"
        buffers = [(b, np.array(b.value)) for b in self.model.buffers()] if skip else []
        self._drop_gradients(optimizer)
        try:
            result = self._add_gradients(values, form)
            for watcher in watchers:
                watcher()
            self._check_gradients()
        except NonFiniteError:
            self._drop_gradients(optimizer)
            if not skip:
                raise
            for buffer, value in buffers:
                buffer.value[...] = value
            return StepResult(math.nan, 0, 0)
        parameters = list(self.model.parameters())
        if self.clip_norm is not None:
            optim.clip_grad_norm_(parameters, self.clip_norm)
        if self.clip_value is not None:
            optim.clip_grad_value_(parameters, self.clip_value)
        optimizer.step()
        self._drop_gradients(optimizer)
        return result

    def _add_gradients(self, values: Sequence[Any], form: Form | None) -> StepResult:
        """Forward and backward of all parts; the loss is that of the batch."""
        samples = len(values[0])
        count = max(1, min(self.accumulate, samples))
        loss, correct = 0.0, 0
        losses: dict[str, float] = {}
        for number in range(count):
            part = slice(samples * number // count, samples * (number + 1) // count)
            part_values = values if count == 1 else [value[part] for value in values]
            compiled, arrays = self._compiled(part_values, form, applies_gradients=False)
            executor = compiled.acquire()
            random_step = random.next_step() if compiled.is_random else (0, 0)
            try:
                outputs = executor.run([arrays[i] for i in compiled.feeds], *random_step)
                compiled.count_run()
                result = _result(compiled, outputs, form, arrays)
                if result.samples and not math.isfinite(result.loss):
                    inputs = part_values[: _num_inputs(form)]
                    raise self._nonfinite_loss(result.loss, inputs, arrays, random_step)
                share = self._share(result.samples / samples) if count > 1 else 1.0
                executor.backward([np.full_like(outputs[0], share)])
            finally:
                compiled.release(executor)
            loss += share * result.loss
            correct += result.correct
            for name, value in result.losses.items():
                losses[name] = losses.get(name, 0.0) + share * value
        return StepResult(loss, correct, samples, losses)

    def _share(self, samples: float) -> float:
        """What a part with that share of the samples counts: a sum counts in full."""
        terms = list(self.criterion.children()) if isinstance(self.criterion, TotalLoss) else [self.criterion]
        sums = {getattr(term, "reduction", "mean") in ("sum", "none") for term in terms}
        if len(sums) > 1:
            raise ValueError("Trainer: accumulate needs losses that are all means or all sums")
        return 1.0 if sums == {True} else samples

    def _check_gradients(self) -> None:
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None and not np.isfinite(parameter.grad).all():
                where = f"the gradient of {name}"
                raise NonFiniteError(f"step {self.steps + 1}: {where} is not finite", self.steps + 1, where)

    def _drop_gradients(self, optimizer: Optimizer) -> None:
        self.model.zero_grad()
        optimizer.zero_grad()

    def _nonfinite_loss(
        self, loss: float, inputs: Sequence[Any], arrays: Sequence[Array], random_step: tuple[int, int]
    ) -> NonFiniteError:
        where = first_nonfinite(self.model, inputs, arrays[: len(inputs)], random_step)
        message = f"step {self.steps + 1}: the loss is {loss}; the first that is not finite is {where}"
        return NonFiniteError(message, self.steps + 1, where)

    def fit(
        self,
        train: Batches,
        epochs: int = 1,
        validation_data: Batches | None = None,
        callbacks: Sequence[Callback] = (),
        *,
        resume: str | os.PathLike[str] | None = None,
    ) -> History:
        """Trains on all batches, `epochs` times; puts the model into training mode.

        Args:
            train: of (x, y), iterated once per epoch, such as a `fastcnn.data.Loader`.
            epochs: in all, those before a resume included.
            validation_data: batches to evaluate after each epoch.
            callbacks: see `fastcnn.train.Callback`.
            resume: a checkpoint that `fastcnn.train.Checkpoint` wrote, or its folder. Training goes on as if
                it had not been interrupted, to the bit, with batches that follow from the epoch's number,
                such as a Loader's. Of a folder the newest whole checkpoint counts; a warning names those
                that are damaged.

        Raises:
            ValueError: an epoch without batches.
            NonFiniteError: see `step`.
            CheckpointError: the checkpoint to resume from is damaged, or of another model.
        """
        training = Training(self, train, epochs, validation_data, callbacks)
        if resume is not None:
            training.resume(resume)
        return training.run()

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
        total = Totals()
        with in_mode(self.model, False):
            for x, y in batches:
                output = self.model(*flatten((x,))[0])
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
            output = self.model(*flatten((x,))[0])
        if isinstance(output, (tuple, list)):
            return tuple(value.numpy() for value in output)
        return output.numpy()

    def _compiled(
        self, values: Sequence[Any], form: Form | None, applies_gradients: bool = True
    ) -> tuple[Compiled, list[Array]]:
        """The plan of model and criterion together, and the values of (x, y) as arrays; the loss is output 0,
        the model's 1."""
        arrays, key = read_arguments(values)
        if form is not None or not applies_gradients:
            key = (applies_gradients, form, key)
        compiled = self._plans.plans().get(key)
        if compiled is None:
            if not self.model.training:
                raise RuntimeError("Trainer.step: the model is in inference mode; call model.train() first")
            count = _num_inputs(form)
            num_targets = None if form is None else form[1]
            # The criterion's first argument is the output, which the plan makes itself.
            _, *targets = describe_arguments(
                self.criterion,
                [None, *values[count:]],
                [arrays[0], *arrays[count:]],
                (None, num_targets),
            )
            compiled = trace_training_step(
                self.model,
                self.criterion,
                describe_arguments(self.model, values[:count], arrays[:count]),
                targets[0] if num_targets is None else targets,
                applies_gradients,
            )
            self._plans.add(key, compiled)
        return compiled, arrays


def _num_inputs(form: Form | None) -> int:
    """How many of the values of (x, y) are the model's inputs; the targets follow."""
    return 1 if form is None or form[0] is None else form[0]


def _result(
    compiled: Compiled, outputs: Sequence[Array], form: Form | None, arrays: Sequence[Array]
) -> StepResult:
    loss, output, *reported = outputs
    target = arrays[_num_inputs(form)]
    result = StepResult(float(loss.sum()), count_correct(output, target), len(arrays[0]))
    if not reported:
        return result
    return result._replace(losses=dict(zip(compiled.reported, map(float, reported), strict=True)))


def _first(values: Any) -> Any:
    """The first of a sequence of values, or the one."""
    return flatten((values,))[0][0]
