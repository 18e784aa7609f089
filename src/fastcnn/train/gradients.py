"""Back-propagation against finite differences."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from fastcnn import random
from fastcnn._arrays import Array, as_array
from fastcnn.engine.arguments import flatten, is_sequence
from fastcnn.engine.tensor import Tensor
from fastcnn.nn.loss import CrossEntropyLoss
from fastcnn.nn.module import Module

# Of eps: the steps that are tried while numbers differ. The last ones only where gradients are so large that
# rounding leaves the tolerance visible.
_FINER = (0.1, 0.01)
_FINEST = (1e-3, 1e-4)


@dataclass(frozen=True)
class CheckedParameter:
    """What one parameter, or input, came to.

    Attributes:
        name: its path, "conv1.weight", or "input".
        layer: "conv1".
        elements: how many were moved.
        kinks: how many of them lay at a kink and prove nothing.
        largest: the largest gradient among them.
        error: the largest difference of the two gradients, relative to `largest`; differences that rounding
            explains are 0.
        passed: whether it is within the tolerance.
    """

    name: str
    layer: str
    elements: int
    kinks: int
    largest: float
    error: float
    passed: bool


@dataclass(frozen=True)
class GradCheck:
    """The result of `gradcheck`; true if all gradients agree, and `print` shows a table.

    Attributes:
        loss: where the gradients were taken.
        tolerance: largest relative error that passes.
        parameters: one entry each, in the model's order, then the inputs.
    """

    loss: float
    tolerance: float
    parameters: tuple[CheckedParameter, ...]

    @property
    def passed(self) -> bool:
        return all(parameter.passed for parameter in self.parameters)

    @property
    def layers(self) -> dict[str, float]:
        """The largest relative error of each layer's parameters."""
        errors: dict[str, float] = {}
        for parameter in self.parameters:
            errors[parameter.layer] = max(errors.get(parameter.layer, 0.0), parameter.error)
        return errors

    @property
    def failed_layers(self) -> list[str]:
        return list(dict.fromkeys(p.layer for p in self.parameters if not p.passed))

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return {**asdict(self), "parameters": [asdict(p) for p in self.parameters], "passed": self.passed}

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        rows = [("parameter", "elements", "kinks", "largest gradient", "relative error", "")]
        for p in self.parameters:
            verdict = "ok" if p.passed else "FAILED"
            rows.append(
                (p.name, str(p.elements), str(p.kinks), f"{p.largest:.3e}", f"{p.error:.1e}", verdict)
            )
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        lines = [
            "  ".join(
                cell.ljust(width) if i in (0, 5) else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        failed = len(self.failed_layers)
        verdict = (
            "all gradients agree"
            if self.passed
            else f"gradients of {failed} of {len(self.layers)} layers differ"
        )
        return "\n".join([*lines, f"loss {self.loss:.6f}, tolerance {self.tolerance:.0e}: {verdict}"])


def gradcheck(
    model: Module,
    x: Any,
    y: Any = None,
    criterion: Module | None = None,
    *,
    eps: float = 1e-5,
    tolerance: float = 1e-5,
    samples: int = 20,
    jitter: float = 1e-3,
    check_input: bool = True,
    seed: int = 0,
) -> GradCheck:
    """Compares the gradients that back-propagation gives with (L(w + h) - L(w - h)) / 2h, in float64.

    A copy of the model is checked, in training mode; the model and the random state stay as they are. Layers
    that draw random numbers draw the same ones each time. Parameters that don't require a gradient are left
    out.

    At a kink (of a ReLU, a maximum, an absolute value) the two differ though both are right. So the copy's
    parameters and inputs are first moved by a little noise, away from the zeros and ties that initialisers
    and images are full of. Where numbers differ all the same, smaller steps are tried, which leave out a kink
    nearby. An element that keeps a slope of its own to each side at the smallest step, with the gradient
    between the two, lies at a kink: it is counted as such and proves nothing.

    Args:
        x: input, or a tuple of several.
        y: target, or a tuple of several; left out, a random weighted sum of the model's output is the loss.
        criterion: CrossEntropyLoss() when left out.
        eps: the step h, times |w| where that is above 1.
        tolerance: the largest relative error that passes.
        samples: elements to move per parameter: half of them those of the largest gradients, the others at
            random; all of a parameter that has no more.
        jitter: standard deviation of the noise; 0 to check at the very point.
        check_input: also the gradient with respect to x.
        seed: of the noise and the choice of elements.

    Raises:
        ValueError: samples, eps or tolerance not above 0, or no target for a model of several outputs.
    """
    if samples < 1 or not eps > 0 or not tolerance > 0:
        raise ValueError(f"gradcheck: samples={samples}, eps={eps}, tolerance={tolerance}, expected above 0")
    checker = _Checker(model, x, y, criterion, jitter, check_input, np.random.default_rng(seed))
    with _random_state_kept():
        checker.back_propagate()
        entries = tuple(
            checker.check(name, value, gradient, eps, tolerance, samples)
            for name, value, gradient in checker.gradients()
        )
    return GradCheck(checker.loss, tolerance, entries)


class _Slopes(NamedTuple):
    """Of the loss along one element, by a step to either side."""

    step: float
    left: float
    right: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    @property
    def jump(self) -> float:
        return abs(self.right - self.left)


class _Checker:
    """A float64 copy of model and criterion, and the loss as a function of its parameters and inputs."""

    def __init__(
        self,
        model: Module,
        x: Any,
        y: Any,
        criterion: Module | None,
        jitter: float,
        check_input: bool,
        rng: np.random.Generator,
    ) -> None:
        self._rng = rng
        self._state = random.get_state()
        self._model = copy.deepcopy(model).double()
        if not model.training:
            self._model.train()
        self._criterion = None
        if y is not None or criterion is not None:
            self._criterion = copy.deepcopy(criterion or CrossEntropyLoss()).double()
        self._x = [
            Tensor(np.array(as_array(value), dtype=np.float64, order="C"), requires_grad=check_input)
            for value in flatten((x,))[0]
        ]
        self._y = tuple(map(_as_target, y)) if is_sequence(y) else None if y is None else _as_target(y)
        self._weights: Array | None = None  # of the outputs, where they are the loss
        self._parameters = {n: p for n, p in self._model.named_parameters() if p.requires_grad}
        for array in (*(p.value for p in self._parameters.values()), *(t.numpy() for t in self._x)):
            array[...] += jitter * rng.standard_normal(array.shape)
        self.loss = 0.0

    def back_propagate(self) -> None:
        """Fills in the loss, and the gradients of parameters and inputs."""
        result = self._forward()
        if self._criterion is None:
            self._weights = self._rng.standard_normal(result.shape)
        self.loss = self._value(result)
        result.backward(self._weights)

    def gradients(self) -> Iterator[tuple[str, Array, Array]]:
        """Name, writable value and gradient of all that is to be checked."""
        for name, parameter in self._parameters.items():
            gradient = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad
            yield name, parameter.value, np.array(gradient)
        for i, tensor in enumerate(self._x):
            if tensor.grad is not None:
                yield "input" if len(self._x) == 1 else f"input{i}", tensor.numpy(), np.array(tensor.grad)

    def check(
        self, name: str, value: Array, gradient: Array, eps: float, tolerance: float, samples: int
    ) -> CheckedParameter:
        chosen = [np.unravel_index(i, gradient.shape) for i in self._choose(gradient, samples)]
        first = [self._slopes(value, index, eps) for index in chosen]
        # Not of the slopes: where a step makes a random layer draw another element, they are huge.
        largest = max((abs(float(gradient[index])) for index in chosen), default=0.0)
        largest = largest or max((abs(slopes.middle) for slopes in first), default=0.0)
        kinks = 0
        worst = 0.0
        for index, slopes in zip(chosen, first, strict=True):
            difference = self._difference(
                value, index, float(gradient[index]), slopes, tolerance * largest, eps
            )
            if difference is None:
                kinks += 1
            else:
                worst = float(np.maximum(worst, difference))  # nan stays
        error = worst / largest if worst != 0 else 0.0
        layer = name.rpartition(".")[0] or name
        return CheckedParameter(name, layer, len(chosen), kinks, largest, error, error <= tolerance)

    def _difference(
        self, value: Array, index: Any, gradient: float, slopes: _Slopes, allowed: float, eps: float
    ) -> float | None:
        """How far the gradient is from the best of the numerical ones; None at a kink."""
        tried = [slopes]
        best = self._beyond_rounding(gradient, slopes)
        for finer in (*_FINER, *_FINEST):
            if best <= allowed or (finer in _FINEST and self._rounding(eps * finer) > allowed):
                break
            tried.append(self._slopes(value, index, eps * finer))
            best = float(np.minimum(best, self._beyond_rounding(gradient, tried[-1])))
        if best <= allowed or not np.isfinite(best):
            return best
        wide, narrow = tried[0], tried[-1]
        margin = allowed + self._rounding(narrow.step)
        keeps = narrow.jump > 0.1 * wide.jump and narrow.jump > margin
        between = (
            min(narrow.left, narrow.right) - margin <= gradient <= max(narrow.left, narrow.right) + margin
        )
        return None if keeps and between else best

    def _beyond_rounding(self, gradient: float, slopes: _Slopes) -> float:
        difference = abs(gradient - slopes.middle)
        return 0.0 if difference <= self._rounding(slopes.step) else difference

    def _rounding(self, step: float) -> float:
        """What the rounding of losses makes of a slope, at most."""
        return 50 * float(np.finfo(np.float64).eps) * max(1.0, abs(self.loss)) / step

    def _slopes(self, value: Array, index: Any, eps: float) -> _Slopes:
        kept = float(value[index])
        step = eps * max(1.0, abs(kept))
        value[index] = kept + step
        right = self._value(self._forward())
        value[index] = kept - step
        left = self._value(self._forward())
        value[index] = kept
        return _Slopes(step, (self.loss - left) / step, (right - self.loss) / step)

    def _choose(self, gradient: Array, samples: int) -> Array:
        """Numbers of elements: the half with the largest gradients, and others at random."""
        if gradient.size <= samples:
            return np.arange(gradient.size)
        order = np.argsort(-np.abs(gradient), axis=None, kind="stable")
        steep = order[: (samples + 1) // 2]
        others = self._rng.choice(order[len(steep) :], samples - len(steep), replace=False)
        return np.concatenate([steep, others])

    def _forward(self) -> Tensor:
        random.set_state(self._state)
        output = self._model(*self._x)
        if self._criterion is not None:
            output = self._criterion(output, *(() if self._y is None else (self._y,)))
        if not isinstance(output, Tensor):
            raise ValueError("gradcheck: a model of several outputs needs a target and a criterion")
        return output

    def _value(self, result: Tensor) -> float:
        return float(np.sum(result.numpy() if self._weights is None else result.numpy() * self._weights))


def _as_target(y: Any) -> Array:
    array = as_array(y)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


@contextmanager
def _random_state_kept() -> Iterator[None]:
    state = random.get_state()
    try:
        yield
    finally:
        random.set_state(state)
