"""SqueezeNet."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


class Fire(nn.Module):
    def __init__(self, c_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(c_in, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze(x).relu_()
        return torch.cat((self.expand1x1(x), self.expand3x3(x)), 1).relu_()


def squeezenet(first: tuple[int, int], pooled_before: tuple[int, ...], num_classes: int) -> nn.Module:
    """`first`: channels and kernel of the first convolution; `pooled_before`: numbers of Fire modules."""
    features: list[nn.Module] = [nn.Conv2d(3, *first, stride=2), nn.ReLU(inplace=True)]
    squeezed = (16, 16, 32, 32, 48, 48, 64, 64)
    c_in = first[0]
    for number, squeeze in enumerate(squeezed):
        if number in pooled_before:
            features.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
        features.append(Fire(c_in, squeeze, 4 * squeeze))
        c_in = 8 * squeeze
    last = nn.Conv2d(512, num_classes, 1)
    classifier = nn.Sequential(nn.Dropout(0.5), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))
    return nn.Sequential(
        OrderedDict(features=nn.Sequential(*features), classifier=classifier, flatten=nn.Flatten())
    )


def squeezenet1_0(num_classes: int = 1000) -> nn.Module:
    return squeezenet((96, 7), (0, 3, 7), num_classes)


def squeezenet1_1(num_classes: int = 1000) -> nn.Module:
    return squeezenet((64, 3), (0, 2, 4), num_classes)
