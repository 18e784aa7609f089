"""Dropout."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module


class Dropout(Module):
    """In training zeroes each element with probability p and divides the others by 1 - p; else the identity.

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012), with
    the scaling at training time, as PyTorch has it. Masks follow from `fastcnn.manual_seed` and the number of
    random forward passes since, not from threads.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p
        _core.make_op("dropout", p=p)  # checks it

    def forward(self, x: Any) -> Any:
        return functional.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
