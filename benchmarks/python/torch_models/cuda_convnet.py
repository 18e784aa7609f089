"""cuda-convnet's networks for CIFAR-10."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


class SpatialResponseNorm(nn.Module):
    """x / (1 + alpha · mean of x² over 3x3 pixels)^0.75."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.mean = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / (1 + self.alpha * self.mean(x * x)) ** 0.75


class LocallyConnected(nn.Module):
    """3x3 with padding 1 on maps of 8x8; fastcnn.nn.LocallyConnected2d's weights."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(8, 8, 3, 3, c_in, c_out))
        self.bias = nn.Parameter(torch.zeros(1, c_out, 8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        patches = nn.functional.unfold(x, 3, padding=1).reshape(n, c, 3, 3, h, w)
        return torch.einsum("ncpqij,ijpqco->noij", patches, self.weight) + self.bias


def three_convolutions(normalised: bool = False) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        conv1=nn.Conv2d(3, 32, 5, padding=2),
        pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
        relu1=nn.ReLU(),
        rnorm1=SpatialResponseNorm(5e-5) if normalised else nn.Identity(),
        conv2=nn.Conv2d(32, 32, 5, padding=2),
        relu2=nn.ReLU(),
        pool2=nn.AvgPool2d(3, stride=2, ceil_mode=True),
        rnorm2=SpatialResponseNorm(5e-5) if normalised else nn.Identity(),
        conv3=nn.Conv2d(32, 64, 5, padding=2),
        relu3=nn.ReLU(),
        pool3=nn.AvgPool2d(3, stride=2, ceil_mode=True),
        flatten=nn.Flatten(),
    )


def cifar_80sec(num_classes: int = 10) -> nn.Module:
    head = {"fc64": nn.Linear(1024, 64), "relu4": nn.ReLU(), "fc10": nn.Linear(64, num_classes)}
    return nn.Sequential(three_convolutions() | head)


def cifar_19pct(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(three_convolutions() | {"fc10": nn.Linear(1024, num_classes)})


def cifar_18pct(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(three_convolutions(normalised=True) | {"fc10": nn.Linear(1024, num_classes)})


def conv_local(width: int, normalised: bool, num_classes: int) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 64, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            rnorm1=nn.LocalResponseNorm(9, alpha=1e-3) if normalised else nn.Identity(),
            conv2=nn.Conv2d(64, 64, 5, padding=2),
            relu2=nn.ReLU(),
            rnorm2=nn.LocalResponseNorm(9, alpha=1e-3) if normalised else nn.Identity(),
            pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            local3=LocallyConnected(64, width),
            relu3=nn.ReLU(),
            local4=LocallyConnected(width, 32),
            relu4=nn.ReLU(),
            flatten=nn.Flatten(),
            fc10=nn.Linear(2048, num_classes),
        )
    )


def cifar_conv_local_13pct(num_classes: int = 10) -> nn.Module:
    return conv_local(32, False, num_classes)


def cifar_conv_local_11pct(num_classes: int = 10) -> nn.Module:
    return conv_local(64, True, num_classes)
