"""SqueezeNet."""

from __future__ import annotations

from typing import Any

from fastcnn import nn


class Fire(nn.Module):
    """A convolution 1x1 to few channels, then one 1x1 and one 3x3 beside each other."""

    def __init__(self, c_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(c_in, squeeze, 1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU()
        self.join = nn.Concat()

    def forward(self, x: Any) -> Any:
        x = self.squeeze_activation(self.squeeze(x))
        return self.join(
            self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))
        )


class SqueezeNet(nn.Module):
    """Fire modules between poolings; the classes are averages over maps of a last convolution.

    Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (2016), as torchvision has
    it. Reads (n, 3, 224, 224), returns logits (n, num_classes). Weights start as He's uniform for fan_in,
    those of the last convolution as N(0, 0.01), biases as 0.

    Args:
        features: all layers up to the last Fire module, which has 512 channels.
    """

    input_shape = (3, 224, 224)

    def __init__(self, features: nn.Sequential, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = features
        last = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(0.5), last, nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)))
        self.flatten = nn.Flatten()
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(last.weight, std=0.01)

    def forward(self, x: Any) -> Any:
        return self.flatten(self.classifier(self.features(x)))


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def squeezenet1_0(num_classes: int = 1000) -> SqueezeNet:
    """The paper's SqueezeNet for images (n, 3, 224, 224); 1,248,424 parameters for 1,000 classes."""
    features = nn.Sequential(
        nn.Conv2d(3, 96, 7, stride=2),
        nn.ReLU(),
        _pool(),
        Fire(96, 16, 64),
        Fire(128, 16, 64),
        Fire(128, 32, 128),
        _pool(),
        Fire(256, 32, 128),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        _pool(),
        Fire(512, 64, 256),
    )
    return SqueezeNet(features, num_classes)


def squeezenet1_1(num_classes: int = 1000) -> SqueezeNet:
    """SqueezeNet 1.1 of the authors' repository, which pools earlier and so multiplies 57% less, for
    images (n, 3, 224, 224); 1,235,496 parameters for 1,000 classes."""
    features = nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        _pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        _pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        _pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )
    return SqueezeNet(features, num_classes)
