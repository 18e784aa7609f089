"""VGG with eleven layers."""

from __future__ import annotations

from typing import Any

from fastcnn import nn

_POOL = 0
_VGG11 = (64, _POOL, 128, _POOL, 256, 256, _POOL, 512, 512, _POOL, 512, 512, _POOL)


class VGG(nn.Module):
    """Convolutions 3x3 between poolings, and three linear layers.

    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), as
    torchvision has it, without batch normalisation. Reads (n, 3, 224, 224), returns logits (n, num_classes).
    Convolutions start as He's normal for fan_out, linear layers as N(0, 0.01), biases as 0.

    Args:
        layers: output channels of each convolution, and 0 for a pooling.
    """

    input_shape = (3, 224, 224)

    def __init__(self, layers: tuple[int, ...], num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential()
        channels = 3
        for width in layers:
            if width == _POOL:
                self.features.append(nn.MaxPool2d(2, stride=2))
                continue
            self.features.append(nn.Conv2d(channels, width, 3, padding=1))
            self.features.append(nn.ReLU())
            channels = width
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
    return VGG(_VGG11, num_classes)
