"""GoogLeNet."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ConvBNReLU(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x)).relu_()


class Inception(nn.Module):
    """Channels: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 after the pooling."""

    def __init__(self, c_in: int, c1: int, c2: int, c3: int, c4: int, c5: int, c6: int) -> None:
        super().__init__()
        self.branch1 = ConvBNReLU(c_in, c1, 1)
        self.branch2 = nn.Sequential(ConvBNReLU(c_in, c2, 1), ConvBNReLU(c2, c3, 3))
        self.branch3 = nn.Sequential(ConvBNReLU(c_in, c4, 1), ConvBNReLU(c4, c5, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvBNReLU(c_in, c6, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


class Auxiliary(nn.Module):
    def __init__(self, c_in: int, num_classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(c_in, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(nn.functional.adaptive_avg_pool2d(x, (4, 4)))
        return self.fc2(self.dropout(self.fc1(x.flatten(1)).relu_()))


class GoogLeNet(nn.Module):
    def __init__(self, num_classes: int, aux_logits: bool) -> None:
        super().__init__()
        self.aux_logits = aux_logits
        self.conv1 = ConvBNReLU(3, 64, 7, 2)
        self.conv2 = ConvBNReLU(64, 64, 1)
        self.conv3 = ConvBNReLU(64, 192, 3)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        if aux_logits:
            self.aux1 = Auxiliary(512, num_classes)
            self.aux2 = Auxiliary(528, num_classes)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.pool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.pool(self.conv3(self.conv2(self.pool(self.conv1(x)))))
        x = self.pool(self.inception3b(self.inception3a(x)))
        x = from_4a = self.inception4a(x)
        x = from_4d = self.inception4d(self.inception4c(self.inception4b(x)))
        x = self.inception5b(self.inception5a(self.pool4(self.inception4e(x))))
        x = self.fc(self.dropout(x.mean((2, 3))))
        return (x, self.aux2(from_4d), self.aux1(from_4a)) if self.aux_logits and self.training else x


def googlenet(num_classes: int = 1000, aux_logits: bool = False) -> nn.Module:
    return GoogLeNet(num_classes, aux_logits)
