"""Densely connected networks."""

from __future__ import annotations

from typing import Any

from fastcnn import nn


class DenseLayer(nn.Module):
    """Batch normalisation, ReLU and a convolution 1x1 to four times `growth` channels; the same with 3x3 to
    `growth` channels."""

    def __init__(self, c_in: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(c_in)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(c_in, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Any) -> Any:
        x = self.conv1(self.relu1(self.norm1(x)))
        return self.conv2(self.relu2(self.norm2(x)))


class DenseBlock(nn.Module):
    """Layers that each read what all before them wrote, and the block's input."""

    def __init__(self, c_in: int, depth: int, growth: int) -> None:
        super().__init__()
        for i in range(depth):
            setattr(self, f"denselayer{i + 1}", DenseLayer(c_in + i * growth, growth))

    def forward(self, x: Any) -> Any:
        for layer in self.children():
            x = nn.functional.concat((x, layer(x)))
        return x


def _transition(c_in: int) -> nn.Sequential:
    """To half as many channels, half as high and wide."""
    return nn.Sequential(
        {
            "norm": nn.BatchNorm2d(c_in),
            "relu": nn.ReLU(),
            "conv": nn.Conv2d(c_in, c_in // 2, 1, bias=False),
            "pool": nn.AvgPool2d(2, stride=2),
        }
    )


class DenseNet(nn.Module):
    """Four dense blocks with transitions between them (DenseNet-BC, compression 0.5).

    Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks" (2017), as
    torchvision has it. Reads (n, 3, 224, 224), returns logits (n, num_classes). Convolutions start as He's
    normal for fan_in, batch normalisation as the identity, the linear layer uniform within 1 / sqrt(fan_in)
    and its biases as 0.

    Args:
        depths: layers in each block.
        growth: channels that each layer adds ("k").
        width: channels of the first convolution.
    """

    input_shape = (3, 224, 224)

    def __init__(
        self, depths: tuple[int, int, int, int], growth: int = 32, width: int = 64, num_classes: int = 1000
    ) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {
            "conv0": nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            "norm0": nn.BatchNorm2d(width),
            "relu0": nn.ReLU(),
            "pool0": nn.MaxPool2d(3, stride=2, padding=1),
        }
        for number, depth in enumerate(depths, 1):
            layers[f"denseblock{number}"] = DenseBlock(width, depth, growth)
            width += depth * growth
            if number < len(depths):
                layers[f"transition{number}"] = _transition(width)
                width //= 2
        self.features = nn.Sequential({**layers, "norm5": nn.BatchNorm2d(width)})
        self.relu = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Any) -> Any:
        return self.classifier(self.flatten(self.avgpool(self.relu(self.features(x)))))


def densenet121(num_classes: int = 1000) -> DenseNet:
    """DenseNet-121 for images (n, 3, 224, 224); 7,978,856 parameters for 1,000 classes."""
    return DenseNet((6, 12, 24, 16), num_classes=num_classes)


def densenet161(num_classes: int = 1000) -> DenseNet:
    """DenseNet-161, growth 48, for images (n, 3, 224, 224); 28,681,000 parameters for 1,000 classes."""
    return DenseNet((6, 12, 36, 24), growth=48, width=96, num_classes=num_classes)


def densenet169(num_classes: int = 1000) -> DenseNet:
    """DenseNet-169 for images (n, 3, 224, 224); 14,149,480 parameters for 1,000 classes."""
    return DenseNet((6, 12, 32, 32), num_classes=num_classes)


def densenet201(num_classes: int = 1000) -> DenseNet:
    """DenseNet-201 for images (n, 3, 224, 224); 20,013,928 parameters for 1,000 classes."""
    return DenseNet((6, 12, 48, 32), num_classes=num_classes)
