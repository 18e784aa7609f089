"""Residual networks."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """Of ResNet: kernels 3 and 3, or with `bottleneck` 1, 3 and 1."""

    def __init__(self, c_in: int, width: int, c_out: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        strided = {"kernel_size": 3, "stride": stride, "padding": 1, "bias": False}
        if bottleneck:
            self.conv1 = nn.Conv2d(c_in, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, **strided)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, c_out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(c_out)
        else:
            self.conv1 = nn.Conv2d(c_in, width, **strided)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(self.relu(y)))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


def resnet(depths: tuple[int, ...], bottleneck: bool, num_classes: int) -> nn.Module:
    layers: OrderedDict[str, Any] = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(64),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
    )
    c_in = 64
    for number, depth in enumerate(depths, 1):
        width = 64 * 2 ** (number - 1)
        c_out = 4 * width if bottleneck else width
        blocks = []
        for index in range(depth):
            stride = 2 if index == 0 and number > 1 else 1
            blocks.append(ResidualBlock(c_in, width, c_out, stride, bottleneck))
            c_in = c_out
        layers[f"layer{number}"] = nn.Sequential(*blocks)
    layers |= {
        "avgpool": nn.AdaptiveAvgPool2d((1, 1)),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(c_in, num_classes),
    }
    return nn.Sequential(layers)


def cifar_resnet(depth: int, num_classes: int) -> nn.Module:
    layers: OrderedDict[str, Any] = OrderedDict(
        conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(16), relu=nn.ReLU(inplace=True)
    )
    c_in = 16
    for number, width in enumerate((16, 32, 64), 1):
        strides = [1 if number == 1 else 2] + [1] * (depth - 1)
        inputs = [c_in] + [width] * (depth - 1)
        layers[f"layer{number}"] = nn.Sequential(
            *(ResidualBlock(c, width, width, s, False) for c, s in zip(inputs, strides, strict=True))
        )
        c_in = width
    layers |= {
        "avgpool": nn.AdaptiveAvgPool2d((1, 1)),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(c_in, num_classes),
    }
    return nn.Sequential(layers)


def normalised(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]


class ResNet9(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.prep = nn.Sequential(*normalised(3, 64))
        self.layer1 = nn.Sequential(*normalised(64, 128), nn.MaxPool2d(2))
        self.residual1 = nn.Sequential(*normalised(128, 128), *normalised(128, 128))
        self.layer2 = nn.Sequential(*normalised(128, 256), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(*normalised(256, 512), nn.MaxPool2d(2))
        self.residual3 = nn.Sequential(*normalised(512, 512), *normalised(512, 512))
        self.fc = nn.Linear(512, num_classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer1(self.prep(x))
        x = self.layer3(self.layer2(x + self.residual1(x)))
        x = x + self.residual3(x)
        return self.fc(x.amax((2, 3))) / 8


def resnet9(num_classes: int = 10) -> nn.Module:
    return ResNet9(num_classes)


def resnet20(num_classes: int = 10) -> nn.Module:
    return cifar_resnet(3, num_classes)


def resnet18(num_classes: int = 1000) -> nn.Module:
    return resnet((2, 2, 2, 2), False, num_classes)


def resnet50(num_classes: int = 1000) -> nn.Module:
    return resnet((3, 4, 6, 3), True, num_classes)


def resnet34(num_classes: int = 1000) -> nn.Module:
    return resnet((3, 4, 6, 3), False, num_classes)
