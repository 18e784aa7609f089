"""Caffe's quick network for CIFAR-10."""

from __future__ import annotations

from typing import Any

from fastcnn import nn

_STANDARD_DEVIATIONS = {"conv1": 1e-4, "conv2": 0.01, "conv3": 0.01, "fc1": 0.1, "fc2": 0.1}


class CifarQuick(nn.Module):
    """Three convolutions, each pooled, and two linear layers without an activation between them.

    Reads (n, 3, 32, 32), returns logits (n, num_classes); 145,578 parameters for 10 classes. Caffe's
    examples/cifar10/cifar10_quick_train_test.prototxt, after cuda-convnet's layers-80sec: pools round up to
    16, 8 and 4 pixels, and average over the part of a window that is in the image. Weights start normal with
    Caffe's standard deviations, 0.0001 in conv1, 0.01 in conv2 and conv3, 0.1 in fc1 and fc2, biases as 0.
    """

    input_shape = (3, 32, 32)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 5, padding=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(32, 32, 5, padding=2)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.AvgPool2d(3, stride=2, ceil_mode=True)
        self.conv3 = nn.Conv2d(32, 64, 5, padding=2)
        self.relu3 = nn.ReLU()
        self.pool3 = nn.AvgPool2d(3, stride=2, ceil_mode=True)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, num_classes)
        for name, parameter in self.named_parameters():
            layer, _, kind = name.partition(".")
            if kind == "weight":
                nn.init.normal_(parameter, std=_STANDARD_DEVIATIONS[layer])
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: Any) -> Any:
        x = self.relu1(self.pool1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = self.pool3(self.relu3(self.conv3(x)))
        return self.fc2(self.fc1(self.flatten(x)))


def cifar_quick(num_classes: int = 10) -> CifarQuick:
    """Caffe's cifar10_quick for images (n, 3, 32, 32)."""
    return CifarQuick(num_classes)
