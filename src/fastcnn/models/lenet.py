"""LeNet as Caffe has it."""

from __future__ import annotations

from typing import Any

from fastcnn import nn


class LeNet(nn.Module):
    """Caffe's LeNet: two convolutions without activation, each max-pooled, and two linear layers.

    Reads (n, 1, 28, 28), returns logits (n, num_classes); 431,080 parameters for 10 classes. After LeCun,
    Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998), with Caffe's
    sizes, max pooling and ReLU (examples/mnist/lenet_train_test.prototxt) and its "xavier" filler: uniform
    within sqrt(3 / fan_in), biases 0.
    """

    input_shape = (1, 28, 28)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(800, 500)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(500, num_classes)
        for name, parameter in self.named_parameters():
            if name.endswith(".weight"):
                nn.init.kaiming_uniform_(parameter, nonlinearity="linear")
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: Any) -> Any:
        x = self.pool1(self.conv1(x))
        x = self.pool2(self.conv2(x))
        return self.fc2(self.relu(self.fc1(self.flatten(x))))


def lenet(num_classes: int = 10) -> LeNet:
    """Caffe's LeNet for images (n, 1, 28, 28)."""
    return LeNet(num_classes)
