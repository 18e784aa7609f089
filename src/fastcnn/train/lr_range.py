"""Which learning rate to begin with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastcnn import random
from fastcnn.train.nonfinite import NonFiniteError
from fastcnn.train.trainer import Trainer
from fastcnn.train.training import Batches

_DIVERGED = 4.0  # times the least loss


class LRRange(NamedTuple):
    """The losses that rates led to; `print` shows a table.

    Attributes:
        lrs: rates, rising.
        losses: of the step taken with each, smoothed over those before.
        suggestion: the rate where the loss fell most steeply, over the logarithm of the rate.
    """

    lrs: list[float]
    losses: list[float]
    suggestion: float

    def __str__(self) -> str:
        every = max(1, len(self.lrs) // 20)
        rows = [f"{lr:10.2e}  {loss:.4f}" for lr, loss in zip(self.lrs, self.losses, strict=True)][::every]
        return "\n".join(["        lr  loss", *rows, f"steepest at lr {self.suggestion:.2e}"])


def lr_range_test(
    trainer: Trainer,
    batches: Batches,
    start: float = 1e-5,
    end: float = 1.0,
    steps: int = 100,
    smoothing: float = 0.9,
) -> LRRange:
    """Trains with a rate that rises exponentially from `start` to `end`, as long as the loss stays below four
    times its least [Smith 2017, section 3.3]. Afterwards model, optimiser, and random state are as before.

    Args:
        batches: gone through again and again, as many as it takes.
        smoothing: share of the losses before in the moving average, whose start is made up for as Adam does.

    Raises:
        ValueError: start, end, steps or smoothing out of their range; losses too few to compare.
    """
    if not 0 < start < end or steps < 3 or not 0 <= smoothing < 1:
        raise ValueError(
            f"lr_range_test: start={start}, end={end}, steps={steps}, smoothing={smoothing}; expected "
            "0 < start < end, at least 3 steps, and smoothing from 0 to below 1"
        )
    if trainer.optimizer is None:
        raise RuntimeError("lr_range_test: the trainer has no optimizer")
    groups = trainer.optimizer.param_groups
    largest = max(group["lr"] for group in groups) or 1.0
    shares = [group["lr"] / largest for group in groups]  # groups keep their proportions
    model, state, optimizer = trainer.model, trainer.model.state_dict(), trainer.optimizer.state_dict()
    random_state, schedule, count = random.get_state(), trainer.schedule, trainer.steps
    trainer.schedule = None
    model.train()
    lrs: list[float] = []
    losses: list[float] = []
    mean = 0.0
    try:
        for i, (x, y) in enumerate(itertools.islice(_again_and_again(batches), steps)):
            lr = start * (end / start) ** (i / (steps - 1))
            for group, share in zip(groups, shares, strict=True):
                group["lr"] = lr * share
            loss = trainer.step(x, y).loss
            if math.isnan(loss):
                break
            mean = smoothing * mean + (1 - smoothing) * loss
            lrs.append(lr)
            losses.append(mean / (1 - smoothing ** (i + 1)))
            if losses[-1] > _DIVERGED * min(losses):
                break
    except NonFiniteError:
        pass  # diverged; what was seen before counts
    finally:
        model.load_state_dict(state)
        trainer.optimizer.load_state_dict(optimizer)
        random.set_state(random_state)
        trainer.schedule, trainer.steps = schedule, count
    if len(losses) < 3:
        raise ValueError(f"lr_range_test: diverged after {len(losses)} steps; begin with a smaller rate")
    slopes = np.gradient(np.array(losses), np.log(lrs))
    return LRRange(lrs, losses, lrs[int(slopes.argmin())])


def _again_and_again(batches: Batches) -> Iterator[tuple[object, object]]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("lr_range_test: no batches")
