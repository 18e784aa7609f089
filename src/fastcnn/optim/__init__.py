"""Optimisers, and schedules of their learning rates."""

from fastcnn.optim import curves
from fastcnn.optim.adagrad import Adagrad
from fastcnn.optim.adam import Adam, AdamW
from fastcnn.optim.clip import clip_grad_norm_, clip_grad_value_, grad_norm
from fastcnn.optim.curves import ProgressLR
from fastcnn.optim.one_cycle import OneCycleLR
from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.plateau import ReduceLROnPlateau
from fastcnn.optim.rmsprop import RMSprop
from fastcnn.optim.schedule import LambdaLR, Schedule, SequentialLR
from fastcnn.optim.schedules import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from fastcnn.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "ProgressLR",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "SequentialLR",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "curves",
    "grad_norm",
]
