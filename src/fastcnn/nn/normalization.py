"""Normalisation."""

from __future__ import annotations

from typing import Any

from fastcnn import _core
from fastcnn.nn import functional
from fastcnn.nn.module import Module


class LocalResponseNorm(Module):
    """x / (k + alpha / size · s)^beta, where s sums x² over `size` neighbouring maps at the same place.

    Definition and defaults are PyTorch's and Caffe's. Krizhevsky, Sutskever and Hinton (2012), section 3.3,
    don't divide alpha by size: their alpha=1e-4 with size=5 is alpha=5e-4 here.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k
        _core.make_op("local_response_norm", size=size, alpha=alpha, beta=beta, k=k)  # checks them

    def forward(self, x: Any) -> Any:
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
