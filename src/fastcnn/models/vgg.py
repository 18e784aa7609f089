"""VGG, with 11 to 19 layers that have weights."""

from __future__ import annotations

from typing import Any

from fastcnn import nn

# Convolutions of each stage, by the paper's name of the configuration (table 1).
_DEPTHS = {"A": (1, 1, 2, 2, 2), "B": (2, 2, 2, 2, 2), "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Five stages of convolutions 3x3, each pooled, and three linear layers.

    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), as
    torchvision has it. Reads (n, 3, 224, 224) and other sizes from 32 on, returns logits (n, num_classes).
    Convolutions start as He's normal for fan_out, batch normalisation as the identity, linear layers as
    N(0, 0.01), biases as 0.

    Args:
        configuration: "A", "B", "D" or "E" of the paper's table 1: 11, 13, 16 or 19 layers with weights.
        batch_norm: batch normalisation behind each convolution, which the paper doesn't have.
    """

    input_shape = (3, 224, 224)

    def __init__(self, configuration: str, num_classes: int = 1000, batch_norm: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential()
        channels = 3
        for width, depth in zip(_WIDTHS, _DEPTHS[configuration], strict=True):
            for _ in range(depth):
                self.features.append(nn.Conv2d(channels, width, 3, padding=1))
                if batch_norm:
                    self.features.append(nn.BatchNorm2d(width))
                self.features.append(nn.ReLU())
                channels = width
            self.features.append(nn.MaxPool2d(2, stride=2))
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Any) -> Any:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def vgg11(num_classes: int = 1000) -> VGG:
    """VGG's configuration A for images (n, 3, 224, 224); 132,863,336 parameters for 1,000 classes."""
    return VGG("A", num_classes)


def vgg11_bn(num_classes: int = 1000) -> VGG:
    """vgg11 with batch normalisation; 132,868,840 parameters for 1,000 classes."""
    return VGG("A", num_classes, batch_norm=True)


def vgg13(num_classes: int = 1000) -> VGG:
    """VGG's configuration B for images (n, 3, 224, 224); 133,047,848 parameters for 1,000 classes."""
    return VGG("B", num_classes)


def vgg13_bn(num_classes: int = 1000) -> VGG:
    """vgg13 with batch normalisation; 133,053,736 parameters for 1,000 classes."""
    return VGG("B", num_classes, batch_norm=True)


def vgg16(num_classes: int = 1000) -> VGG:
    """VGG's configuration D for images (n, 3, 224, 224); 138,357,544 parameters for 1,000 classes."""
    return VGG("D", num_classes)


def vgg16_bn(num_classes: int = 1000) -> VGG:
    """vgg16 with batch normalisation; 138,365,992 parameters for 1,000 classes."""
    return VGG("D", num_classes, batch_norm=True)


def vgg19(num_classes: int = 1000) -> VGG:
    """VGG's configuration E for images (n, 3, 224, 224); 143,667,240 parameters for 1,000 classes."""
    return VGG("E", num_classes)


def vgg19_bn(num_classes: int = 1000) -> VGG:
    """vgg19 with batch normalisation; 143,678,248 parameters for 1,000 classes."""
    return VGG("E", num_classes, batch_norm=True)
