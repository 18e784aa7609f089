"""Dropout."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module


class Dropout(Module):
    """In training zeroes each element with probability p; else the identity.

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012). Masks
    follow from `fastcnn.manual_seed` and the number of random forward passes since, not from threads.

    Args:
        p: of being dropped; cuda-convnet2's keep is 1 - p.
        scaling: what keeps the mean of an element. "training" divides those that stay by 1 - p ("inverted"
            dropout, as PyTorch and cuda-convnet2's dropout have it). "inference" multiplies all by 1 - p
            outside of training: the paper's form, cuda-convnet2's dropout2, and what dropout= of a layer
            means in dnouri's cuda-convnet.
    """

    def __init__(self, p: float = 0.5, scaling: str = "training") -> None:
        super().__init__()
        self.p = p
        self.scaling = scaling
        _core.make_op("dropout", p=p, scaling=scaling)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.dropout(x, self.p, self.training, self.scaling)

    def extra_repr(self) -> str:
        return f"p={self.p}" if self.scaling == "training" else f"p={self.p}, scaling={self.scaling!r}"
