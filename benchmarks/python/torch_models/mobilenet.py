"""MobileNetV2."""

from __future__ import annotations

import itertools
from collections import OrderedDict

import torch
from torch import nn


def conv_bn_relu6(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Of MobileNetV2."""

    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = c_in * expansion
        layers = [] if expansion == 1 else [conv_bn_relu6(c_in, width, 1)]
        layers += [
            conv_bn_relu6(width, width, 3, stride, width),
            nn.Conv2d(width, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


def mobilenet_v2(num_classes: int = 1000) -> nn.Module:
    features = [conv_bn_relu6(3, 32, 3, 2)]
    channels = [32, *[16], *[24] * 2, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320]
    strides = {1: 2, 3: 2, 6: 2, 13: 2}  # by block; else 1
    for block, (c_in, c_out) in enumerate(itertools.pairwise(channels)):
        features.append(InvertedResidual(c_in, c_out, strides.get(block, 1), 6 if block else 1))
    features.append(conv_bn_relu6(320, 1280, 1))
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*features),
            avgpool=nn.AdaptiveAvgPool2d((1, 1)),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes)),
        )
    )
