"""What training makes small."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module


class CrossEntropyLoss(Module):
    """-log p(target), with p = softmax(logits): logits (n, c) and integer labels (n) in [0, c).

    Softmax and logarithm are computed together, so large logits do no harm.

    Args:
        reduction: "mean" over the batch, "sum", or "none" for (n).
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction
        _core.make_op("softmax_cross_entropy", reduction=reduction)  # checks it

    def forward(self, logits: Any, target: Any) -> Any:
        return functional.cross_entropy(logits, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class MSELoss(Module):
    """(h - y)² for predictions h and targets y of one shape.

    Args:
        reduction: "mean" over all elements, as PyTorch; "sum", the textbook's E; or "none".
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction
        _core.make_op("squared_error", reduction=reduction)  # checks it

    def forward(self, prediction: Any, target: Any) -> Any:
        return functional.mse_loss(prediction, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
