"""Layers, containers, losses and initialisers, under PyTorch's names where it has them."""

from fastcnn.nn import functional, init
from fastcnn.nn.activation import Affine, Identity, ReLU, ReLU6, Sigmoid, Softmax, Square, Tanh
from fastcnn.nn.connections import GatherChannels, random_connections
from fastcnn.nn.containers import ModuleList, Sequential
from fastcnn.nn.conv import Conv2d, ConvTranspose2d, LocallyConnected2d
from fastcnn.nn.dropout import Dropout
from fastcnn.nn.features import features
from fastcnn.nn.linear import Linear
from fastcnn.nn.loss import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, TotalLoss
from fastcnn.nn.module import Module
from fastcnn.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    ContrastNorm,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    SpatialResponseNorm,
)
from fastcnn.nn.parameter import Buffer, Parameter
from fastcnn.nn.pooling import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    AvgPoolChannels,
    GaussianBlur,
    MaxAbsPool2d,
    MaxPool2d,
    MaxPoolChannels,
    Nailbed,
    SumPool2d,
)
from fastcnn.nn.shaping import Add, Concat, Flatten

__all__ = [
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "Add",
    "Affine",
    "AvgPool2d",
    "AvgPoolChannels",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Concat",
    "ContrastNorm",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GatherChannels",
    "GaussianBlur",
    "GroupNorm",
    "Identity",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "LocallyConnected2d",
    "MSELoss",
    "MaxAbsPool2d",
    "MaxPool2d",
    "MaxPoolChannels",
    "Module",
    "ModuleList",
    "Nailbed",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SpatialResponseNorm",
    "Square",
    "SumPool2d",
    "Tanh",
    "TotalLoss",
    "features",
    "functional",
    "init",
    "random_connections",
]
