"""MobileNetV2."""

from __future__ import annotations

from typing import Any

from fastcnn import nn

# Expansion, output channels, blocks, stride of the first of them: table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class ConvBNReLU6(nn.Sequential):
    """Convolution that keeps the extents but for its stride, batch normalisation, ReLU6."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = (kernel - 1) // 2
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=padding, groups=groups, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU6(),
        )


class InvertedResidual(nn.Module):
    """Convolutions 1x1 to more channels, 3x3 by channel, 1x1 back to few, the last without activation; added
    to their input where it has the same shape."""

    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = c_in * expansion
        self.conv = nn.Sequential()
        if expansion != 1:
            self.conv.append(ConvBNReLU6(c_in, width, 1))
        self.conv.append(ConvBNReLU6(width, width, 3, stride, groups=width))
        self.conv.append(nn.Conv2d(width, c_out, 1, bias=False))
        self.conv.append(nn.BatchNorm2d(c_out))
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residual blocks of depthwise separable convolutions.

    Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear bottlenecks" (2018),
    as torchvision has it. Reads (n, 3, 224, 224), returns logits (n, num_classes); 3,504,872 parameters for
    1,000 classes. Convolutions start as He's normal for fan_out, batch normalisation as the identity, the
    linear layer as N(0, 0.01) with biases 0.
    """

    input_shape = (3, 224, 224)

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(ConvBNReLU6(3, 32, 3, stride=2))
        channels = 32
        for expansion, c_out, blocks, stride in _STAGES:
            for block in range(blocks):
                first = block == 0
                self.features.append(InvertedResidual(channels, c_out, stride if first else 1, expansion))
                channels = c_out
        self.features.append(ConvBNReLU6(channels, 1280, 1))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Any) -> Any:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def mobilenet_v2(num_classes: int = 1000) -> MobileNetV2:
    """MobileNetV2 of width 1 for images (n, 3, 224, 224)."""
    return MobileNetV2(num_classes)
