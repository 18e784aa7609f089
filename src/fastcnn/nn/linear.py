"""Fully connected layer."""

from __future__ import annotations

import math
from typing import Any

from fastcnn.engine.parameter import Parameter
from fastcnn.nn import functional, init
from fastcnn.nn.module import Module
from fastcnn.nn.options import check_extents


class Linear(Module):
    """x W' + b: (n, in_features) to (n, out_features).

    Parameters start as PyTorch's: weight and bias uniform within 1 / sqrt(in_features).

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features), or None.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        check_extents("Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter((out_features, in_features))
        self.bias = Parameter((out_features,)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + (", bias=False" if self.bias is None else "")
