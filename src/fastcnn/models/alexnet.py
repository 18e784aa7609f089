"""AlexNet in two towers, as the paper has it, and in one."""

from __future__ import annotations

from typing import Any

from fastcnn import nn

_BIASES_OF_ONE = ("conv2.bias", "conv4.bias", "conv5.bias", "fc6.bias", "fc7.bias")

# What follows the first and the second convolution.
_ORDERS = {
    "paper": (("relu", "norm", "pool"), ("relu", "norm", "pool")),
    "cuda-convnet2": (("norm", "pool", "relu"), ("relu", "norm", "pool")),
    "caffenet": (("relu", "pool", "norm"), ("relu", "pool", "norm")),
}


class AlexNet(nn.Module):
    """AlexNet of Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep CNNs" (2012).

    Reads (n, 3, 227, 227), returns logits (n, num_classes); 60,965,224 parameters for 1,000 classes. The two
    towers are groups=2 in conv2, conv4 and conv5. The paper normalises x / (2 + 1e-4 · sum x²)^0.75 over five
    maps, its alpha not divided by their number; LocalResponseNorm divides, hence alpha=5e-4. Weights start as
    N(0, 0.01), biases as 1 in conv2, conv4, conv5, fc6 and fc7 and as 0 elsewhere (section 5).

    Args:
        order: of ReLU, normalisation across maps and pooling behind conv1 and conv2. "paper": in this order
            (sections 3.1 to 3.5). "cuda-convnet2": as its layers-imagenet-1gpu.cfg has them, which behind
            conv1 normalises and pools before the ReLU. "caffenet": as Caffe's bvlc_reference_caffenet, which
            pools before it normalises. The constants are the paper's in each.
    """

    input_shape = (3, 227, 227)

    def __init__(self, num_classes: int = 1000, order: str = "paper") -> None:
        super().__init__()
        if order not in _ORDERS:
            raise ValueError(f"AlexNet: order is {order!r}, expected {', '.join(_ORDERS)}")
        self.order = order
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.relu1 = nn.ReLU()
        self.norm1 = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.relu2 = nn.ReLU()
        self.norm2 = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
        self.pool2 = nn.MaxPool2d(3, stride=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.relu3 = nn.ReLU()
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.relu4 = nn.ReLU()
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.relu5 = nn.ReLU()
        self.pool5 = nn.MaxPool2d(3, stride=2)
        self.flatten = nn.Flatten()
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.relu6 = nn.ReLU()
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU()
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(4096, num_classes)
        for name, parameter in self.named_parameters():
            if name.endswith(".weight"):
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.constant_(parameter, float(name in _BIASES_OF_ONE))

    def forward(self, x: Any) -> Any:
        x = self._relu_norm_pool(1, self.conv1(x))
        x = self._relu_norm_pool(2, self.conv2(x))
        x = self.relu3(self.conv3(x))
        x = self.relu4(self.conv4(x))
        x = self.pool5(self.relu5(self.conv5(x)))
        x = self.flatten(x)
        x = self.drop6(self.relu6(self.fc6(x)))
        x = self.drop7(self.relu7(self.fc7(x)))
        return self.fc8(x)

    def _relu_norm_pool(self, stage: int, x: Any) -> Any:
        for layer in _ORDERS[self.order][stage - 1]:
            x = getattr(self, f"{layer}{stage}")(x)
        return x


class AlexNetOneTower(nn.Module):
    """AlexNet in one tower, without normalisation.

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), as torchvision's
    alexnet has it: 256 instead of 384 channels in the fourth convolution, dropout before the linear layers.
    Reads (n, 3, 224, 224) and other sizes from 63 on, returns logits (n, num_classes); 61,100,840 parameters
    for 1,000 classes. Parameters start as PyTorch's: uniform within 1 / sqrt(fan_in).
    """

    input_shape = (3, 224, 224)

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Any) -> Any:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def alexnet(num_classes: int = 1000, order: str = "paper") -> AlexNet:
    """Two-tower AlexNet for images (n, 3, 227, 227); `order` is AlexNet's."""
    return AlexNet(num_classes, order)


def alexnet_one_tower(num_classes: int = 1000) -> AlexNetOneTower:
    """torchvision's alexnet for images (n, 3, 224, 224)."""
    return AlexNetOneTower(num_classes)
