"""Loss functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn import _core
from fastcnn.engine.parameter import Buffer
from fastcnn.engine.symbol import Symbol
from fastcnn.nn import functional
from fastcnn.nn.module import Module
from fastcnn.nn.options import cross_entropy_op


class _Loss(Module):
    """A loss with a reduction, times a coefficient."""

    def __init__(self, reduction: str, coefficient: float) -> None:
        super().__init__()
        self.reduction = reduction
        self.coefficient = float(coefficient)

    def _scaled(self, loss: Any) -> Any:
        return loss if self.coefficient == 1.0 else loss * self.coefficient

    def extra_repr(self) -> str:
        factor = "" if self.coefficient == 1.0 else f", coefficient={self.coefficient}"
        return f"reduction={self.reduction!r}{factor}"


class CrossEntropyLoss(_Loss):
    """-log p(target), with p = softmax(logits): logits (n, c) and integer labels (n) in [0, c), or as targets
    distributions t over the classes (n, c): -sum of t log p. Options and values are PyTorch's.

    Softmax and logarithm are computed together, so large logits do no harm.

    Args:
        reduction: "mean" over the batch, weighted by the labels' weights; "batchmean", the sum divided by n;
            "sum"; or "none" for (n).
        weight: of each class (c).
        ignore_index: rows with this label count for nothing.
        label_smoothing: this share of each target is spread evenly over all classes.
        coefficient: the loss is multiplied by it.
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        weight: Any = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        coefficient: float = 1.0,
    ) -> None:
        super().__init__(reduction, coefficient)
        self.weight = None if weight is None else Buffer(weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        cross_entropy_op(reduction, ignore_index, label_smoothing)  # checks them

    def forward(self, logits: Any, target: Any) -> Any:
        return self._scaled(
            functional.cross_entropy(
                logits,
                target,
                self.reduction,
                weight=self.weight,
                ignore_index=self.ignore_index,
                label_smoothing=self.label_smoothing,
            )
        )

    def extra_repr(self) -> str:
        smoothing = f", label_smoothing={self.label_smoothing}" if self.label_smoothing else ""
        return super().extra_repr() + smoothing


class MSELoss(_Loss):
    """(h - y)² for predictions h and targets y of one shape; h² without a target.

    Args:
        reduction: "mean" over all elements, as PyTorch; "sum", the textbook's E; "batchmean", E divided by
            the number of samples; or "none".
        coefficient: the loss is multiplied by it.
    """

    def __init__(self, reduction: str = "mean", *, coefficient: float = 1.0) -> None:
        super().__init__(reduction, coefficient)
        _core.make_op("squared_error", reduction=reduction)  # checks it

    def forward(self, prediction: Any, target: Any = None) -> Any:
        return self._scaled(functional.mse_loss(prediction, target, self.reduction))


class BCEWithLogitsLoss(_Loss):
    """-(a t log p + (1 - t) log(1 - p)) with p = 1 / (1 + e^-x), for logits x and targets t in [0, 1] of one
    shape: each element is a question of its own. Large logits do no harm.

    Args:
        reduction: "mean" over all elements; "batchmean", the sum divided by the number of samples; "sum"; or
            "none".
        pos_weight: a, one number or one per class (c) of logits (n, c).
        coefficient: the loss is multiplied by it.
    """

    _from_logits = True

    def __init__(self, reduction: str = "mean", *, pos_weight: Any = None, coefficient: float = 1.0) -> None:
        super().__init__(reduction, coefficient)
        weights = [pos_weight] if isinstance(pos_weight, (int, float)) else pos_weight
        self.pos_weight = None if weights is None else Buffer(weights)
        _core.make_op("binary_cross_entropy", reduction=reduction)  # checks it

    def forward(self, x: Any, target: Any) -> Any:
        f = (
            functional.binary_cross_entropy_with_logits
            if self._from_logits
            else functional.binary_cross_entropy
        )
        return self._scaled(f(x, target, self.reduction, pos_weight=self.pos_weight))


class BCELoss(BCEWithLogitsLoss):
    """As BCEWithLogitsLoss, of probabilities p in [0, 1] themselves, such as a Sigmoid's; logarithms are kept
    at -100 and above, as in PyTorch."""

    _from_logits = False


Term = Module | tuple[Module, int] | tuple[Module, int, int | None]


class TotalLoss(Module):
    """The sum of several losses, of one or several outputs of a model.

        criterion = nn.TotalLoss({
            "class": nn.CrossEntropyLoss(),                          # of output 0 and target 0
            "box": (nn.MSELoss(coefficient=0.5), 1),                 # of output 1 and target 1
            "auxiliary": (nn.CrossEntropyLoss(coefficient=0.3), 2, 0),  # of output 2 and target 0
            "activity": (nn.MSELoss(coefficient=1e-3), 3, None),     # of output 3 alone
        })
        loss = criterion(model(x), (label, box))

    `Trainer.step` returns what each term came to in `StepResult.losses`.

    Args:
        terms: by name, or a sequence of them, named "0", "1", ...: a loss of the output and the target of the
            term's place in the order; or a tuple of the loss, the number of its output and, if it is another,
            that of its target, None for no target. Each must give a scalar.

    A model that returns one value has the output 0 alone; a target that isn't a tuple serves all terms.
    """

    def __init__(self, terms: Mapping[str, Term] | Sequence[Term]) -> None:
        super().__init__()
        named = terms if isinstance(terms, Mapping) else {str(i): term for i, term in enumerate(terms)}
        if not named:
            raise ValueError("TotalLoss: no terms")
        self._reads: dict[str, tuple[int, int | None]] = {}
        for place, (name, term) in enumerate(named.items()):
            loss, output, target = _whole_term(name, term, place)
            if hasattr(TotalLoss, name) or name.startswith("_") or "." in name:
                raise ValueError(f"TotalLoss: {name!r} can't be the name of a term")
            self._reads[name] = (output, target)
            setattr(self, name, loss)

    def terms(self) -> list[tuple[Module, int, int | None]]:
        """Each loss with the numbers of the output and of the target that it reads, None for no target."""
        return [(getattr(self, name), *reads) for name, reads in self._reads.items()]

    def forward(self, outputs: Any, targets: Any = None) -> Any:
        total = None
        for name, (output, target) in self._reads.items():
            operands = [_pick(name, "output", outputs, output)]
            if target is not None:
                several = isinstance(targets, (tuple, list))
                operands.append(_pick(name, "target", targets, target if several else 0))
            part = getattr(self, name)(*operands)
            if isinstance(part, Symbol):
                part._tracer.reported[name] = part
            total = part if total is None else total + part
        return total


def _whole_term(name: str, term: Term, place: int) -> tuple[Module, int, int | None]:
    parts = term if isinstance(term, tuple) else (term, place)
    loss, output, target = parts if len(parts) == 3 else (*parts, parts[-1])
    numbers = (output, 0 if target is None else target)
    if not isinstance(loss, Module) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise TypeError(
            f"TotalLoss: term {name} is {term!r}, expected a loss, or a tuple of a loss and the numbers of "
            "its output and target"
        )
    return loss, output, target


def _pick(name: str, what: str, values: Any, index: int) -> Any:
    several = list(values) if isinstance(values, (tuple, list)) else [values]
    if index >= len(several) or several[index] is None:
        count = 0 if values is None else len(several)
        raise ValueError(f"TotalLoss: term {name} reads {what} {index}, there are {count}, counted from 0")
    return several[index]
