"""Residual networks."""

from __future__ import annotations

from typing import Any

from fastcnn import nn


class BasicBlock(nn.Module):
    """Two convolutions 3x3, added to their input; `downsample` fits it where the shape changes."""

    expansion = 1

    def __init__(self, c_in: int, width: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x: Any) -> Any:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Convolutions 1x1 to `width` channels, 3x3, and 1x1 to four times as many, added to their input.

    The stride is that of the 3x3 convolution ("v1.5"), not of the first as in the paper.
    """

    expansion = 4

    def __init__(self, c_in: int, width: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        c_out = self.expansion * width
        self.conv1 = nn.Conv2d(c_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, x: Any) -> Any:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Four stages of residual blocks, each half as high and wide as the one before.

    He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), as torchvision has it.
    Reads (n, 3, 224, 224), returns logits (n, num_classes). Convolutions start as He's normal for fan_out,
    batch normalisation as the identity.

    Args:
        block: BasicBlock or Bottleneck.
        depths: blocks in each stage.
    """

    input_shape = (3, 224, 224)

    def __init__(
        self, block: type[BasicBlock | Bottleneck], depths: tuple[int, int, int, int], num_classes: int = 1000
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, 64, 64, depths[0], stride=1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, depths[1], stride=2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, depths[2], stride=2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        _init_convolutions(self)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.avgpool(x)))


class CifarResNet(nn.Module):
    """Three stages of `depth` basic blocks with 16, 32 and 64 channels, for images of 32x32 pixels.

    The networks of the same paper's section 4.2, of 6 depth + 2 layers. Where a stage begins, a convolution
    1x1 fits the input (the paper's option B); on these images its authors took every other pixel and filled
    channels up with zeros, 2,752 parameters less. Reads (n, 3, 32, 32), returns logits (n, num_classes).
    """

    input_shape = (3, 32, 32)

    def __init__(self, depth: int, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = _stage(BasicBlock, 16, 16, depth, stride=1)
        self.layer2 = _stage(BasicBlock, 16, 32, depth, stride=2)
        self.layer3 = _stage(BasicBlock, 32, 64, depth, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(64, num_classes)
        _init_convolutions(self)

    def forward(self, x: Any) -> Any:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.flatten(self.avgpool(x)))


class ResNet9(nn.Module):
    """Eight convolutions 3x3, two pairs of them residual, and a linear layer, for images of 32x32 pixels.

    The network with which D. Page led DAWNBench's CIFAR-10 ("How to train your ResNet", 2018): few layers of
    many channels, 64 to 512, pooled to 16, 8 and 4 pixels and then to one, by their largest. Reads
    (n, 3, 32, 32), returns logits (n, num_classes), an eighth of what the linear layer gives. Convolutions
    start as He's normal for fan_out.
    """

    input_shape = (3, 32, 32)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.prep = _conv_bn_relu(3, 64)
        self.layer1 = nn.Sequential(*_conv_bn_relu(64, 128), nn.MaxPool2d(2))
        self.residual1 = nn.Sequential(*_conv_bn_relu(128, 128), *_conv_bn_relu(128, 128))
        self.layer2 = nn.Sequential(*_conv_bn_relu(128, 256), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(*_conv_bn_relu(256, 512), nn.MaxPool2d(2))
        self.residual3 = nn.Sequential(*_conv_bn_relu(512, 512), *_conv_bn_relu(512, 512))
        self.maxpool = nn.AdaptiveMaxPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(512, num_classes, bias=False)
        _init_convolutions(self)

    def forward(self, x: Any) -> Any:
        x = self.layer1(self.prep(x))
        x = self.layer2(x + self.residual1(x))
        x = self.layer3(x)
        x = x + self.residual3(x)
        return 0.125 * self.fc(self.flatten(self.maxpool(x)))


def _conv_bn_relu(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


def _init_convolutions(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _stage(
    block: type[BasicBlock | Bottleneck], c_in: int, width: int, depth: int, stride: int
) -> nn.Sequential:
    c_out = block.expansion * width
    downsample = None
    if stride != 1 or c_in != c_out:
        downsample = nn.Sequential(
            nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out)
        )
    first = block(c_in, width, stride, downsample)
    return nn.Sequential(first, *(block(c_out, width, 1, None) for _ in range(depth - 1)))


def resnet18(num_classes: int = 1000) -> ResNet:
    """ResNet-18 for images (n, 3, 224, 224); 11,689,512 parameters for 1,000 classes."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes)


def resnet34(num_classes: int = 1000) -> ResNet:
    """ResNet-34 for images (n, 3, 224, 224); 21,797,672 parameters for 1,000 classes."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes)


def resnet50(num_classes: int = 1000) -> ResNet:
    """ResNet-50 for images (n, 3, 224, 224); 25,557,032 parameters for 1,000 classes."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes)


def resnet101(num_classes: int = 1000) -> ResNet:
    """ResNet-101 for images (n, 3, 224, 224); 44,549,160 parameters for 1,000 classes."""
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes)


def resnet152(num_classes: int = 1000) -> ResNet:
    """ResNet-152 for images (n, 3, 224, 224); 60,192,808 parameters for 1,000 classes."""
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes)


def resnet9(num_classes: int = 10) -> ResNet9:
    """ResNet-9 for images (n, 3, 32, 32); 6,573,120 parameters for 10 classes."""
    return ResNet9(num_classes)


def resnet20(num_classes: int = 10) -> CifarResNet:
    """ResNet-20 for images (n, 3, 32, 32); 272,474 parameters for 10 classes."""
    return CifarResNet(3, num_classes)


def resnet32(num_classes: int = 10) -> CifarResNet:
    """ResNet-32 for images (n, 3, 32, 32); 466,906 parameters for 10 classes."""
    return CifarResNet(5, num_classes)


def resnet44(num_classes: int = 10) -> CifarResNet:
    """ResNet-44 for images (n, 3, 32, 32); 661,338 parameters for 10 classes."""
    return CifarResNet(7, num_classes)


def resnet56(num_classes: int = 10) -> CifarResNet:
    """ResNet-56 for images (n, 3, 32, 32); 855,770 parameters for 10 classes."""
    return CifarResNet(9, num_classes)
