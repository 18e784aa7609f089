"""Optimisers."""

from fastcnn.optim.sgd import SGD

__all__ = ["SGD"]
