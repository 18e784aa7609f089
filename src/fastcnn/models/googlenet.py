"""GoogLeNet."""

from __future__ import annotations

from typing import Any

from fastcnn import nn


class ConvBNReLU(nn.Module):
    """Convolution that keeps the extents but for its stride, batch normalisation, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=1e-3)
        self.relu = nn.ReLU()

    def forward(self, x: Any) -> Any:
        return self.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four branches beside each other: 1x1; 1x1 and 3x3; 1x1 and 3x3 again; pooling 3x3 and 1x1.

    The third branch has a kernel of 5x5 in the paper, of 3x3 in torchvision and its weights, and here.

    Args:
        wide, narrow: channels of the two convolutions of the second and of the third branch.
    """

    def __init__(
        self, c_in: int, single: int, wide: tuple[int, int], narrow: tuple[int, int], pooled: int
    ) -> None:
        super().__init__()
        self.branch1 = ConvBNReLU(c_in, single, 1)
        self.branch2 = nn.Sequential(ConvBNReLU(c_in, wide[0], 1), ConvBNReLU(*wide, 3))
        self.branch3 = nn.Sequential(ConvBNReLU(c_in, narrow[0], 1), ConvBNReLU(*narrow, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), ConvBNReLU(c_in, pooled, 1))
        self.join = nn.Concat()

    def forward(self, x: Any) -> Any:
        return self.join(self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))


class Auxiliary(nn.Module):
    """A classifier on the maps of a middle layer, for training."""

    def __init__(self, c_in: int, num_classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d((4, 4))
        self.conv = ConvBNReLU(c_in, 128, 1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Any) -> Any:
        x = self.relu(self.fc1(self.flatten(self.conv(self.pool(x)))))
        return self.fc2(self.dropout(x))


class GoogLeNet(nn.Module):
    """Nine Inception modules, with batch normalisation.

    Szegedy et al., "Going deeper with convolutions" (2015), as torchvision has it. Reads (n, 3, 224, 224),
    returns logits (n, num_classes); 6,624,904 parameters for 1,000 classes. Convolutions and linear layers
    start as N(0, 0.01), batch normalisation as the identity, biases uniform within 1 / sqrt(fan_in).
    torchvision's trained weights expect images scaled to -1 ... 1 (its transform_input).

    Args:
        aux_logits: with the two auxiliary classifiers, 13,004,888 parameters. In training a call then returns
            (logits, logits of aux2, logits of aux1); the paper adds 0.3 times the losses of either. In
            inference it returns the logits.
    """

    input_shape = (3, 224, 224)

    def __init__(self, num_classes: int = 1000, aux_logits: bool = False) -> None:
        super().__init__()
        self.aux_logits = aux_logits
        self.conv1 = ConvBNReLU(3, 64, 7, stride=2)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = ConvBNReLU(64, 64, 1)
        self.conv3 = ConvBNReLU(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        if aux_logits:
            self.aux1 = Auxiliary(512, num_classes)
            self.aux2 = Auxiliary(528, num_classes)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, x: Any) -> Any:
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = from_4a = self.inception4a(x)
        x = from_4d = self.inception4d(self.inception4c(self.inception4b(x)))
        x = self.maxpool4(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        x = self.fc(self.dropout(self.flatten(self.avgpool(x))))
        return (x, self.aux2(from_4d), self.aux1(from_4a)) if self.aux_logits and self.training else x


def googlenet(num_classes: int = 1000, aux_logits: bool = False) -> GoogLeNet:
    """GoogLeNet for images (n, 3, 224, 224); `aux_logits` is GoogLeNet's."""
    return GoogLeNet(num_classes, aux_logits)
