"""Networks that are one layer after the other."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def lenet(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 20, 5),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(20, 50, 5),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(800, 500),
            relu=nn.ReLU(inplace=True),
            fc2=nn.Linear(500, num_classes),
        )
    )


def cifar_quick(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 32, 5, padding=2),
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            relu1=nn.ReLU(inplace=True),
            conv2=nn.Conv2d(32, 32, 5, padding=2),
            relu2=nn.ReLU(inplace=True),
            pool2=nn.AvgPool2d(3, stride=2, ceil_mode=True),
            conv3=nn.Conv2d(32, 64, 5, padding=2),
            relu3=nn.ReLU(inplace=True),
            pool3=nn.AvgPool2d(3, stride=2, ceil_mode=True),
            flatten=nn.Flatten(),
            fc1=nn.Linear(1024, 64),
            fc2=nn.Linear(64, num_classes),
        )
    )


def alexnet(num_classes: int = 1000) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 96, 11, stride=4),
            relu1=nn.ReLU(inplace=True),
            norm1=nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            pool1=nn.MaxPool2d(3, stride=2),
            conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
            relu2=nn.ReLU(inplace=True),
            norm2=nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            pool2=nn.MaxPool2d(3, stride=2),
            conv3=nn.Conv2d(256, 384, 3, padding=1),
            relu3=nn.ReLU(inplace=True),
            conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
            relu4=nn.ReLU(inplace=True),
            conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
            relu5=nn.ReLU(inplace=True),
            pool5=nn.MaxPool2d(3, stride=2),
            flatten=nn.Flatten(),
            fc6=nn.Linear(256 * 6 * 6, 4096),
            relu6=nn.ReLU(inplace=True),
            drop6=nn.Dropout(0.5),
            fc7=nn.Linear(4096, 4096),
            relu7=nn.ReLU(inplace=True),
            drop7=nn.Dropout(0.5),
            fc8=nn.Linear(4096, num_classes),
        )
    )


def alexnet_in_order(order: str) -> nn.Module:
    """alexnet with another order of the layers behind conv1 and conv2: fastcnn.models.AlexNet's."""
    after = {
        "paper": ("relu1 norm1 pool1", "relu2 norm2 pool2"),
        "cuda-convnet2": ("norm1 pool1 relu1", "relu2 norm2 pool2"),
        "caffenet": ("relu1 pool1 norm1", "relu2 pool2 norm2"),
    }
    layers = dict(alexnet().named_children())
    first, second = (names.split() for names in after[order])
    names = ["conv1", *first, "conv2", *second, *list(layers)[8:]]
    return nn.Sequential(OrderedDict((name, layers[name]) for name in names))


def alexnet_one_tower(num_classes: int = 1000) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(
                nn.Conv2d(3, 64, 11, stride=4, padding=2),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, stride=2),
                nn.Conv2d(64, 192, 5, padding=2),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, stride=2),
                nn.Conv2d(192, 384, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(384, 256, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 256, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, stride=2),
            ),
            avgpool=nn.AdaptiveAvgPool2d((6, 6)),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(
                nn.Dropout(0.5),
                nn.Linear(256 * 6 * 6, 4096),
                nn.ReLU(inplace=True),
                nn.Dropout(0.5),
                nn.Linear(4096, 4096),
                nn.ReLU(inplace=True),
                nn.Linear(4096, num_classes),
            ),
        )
    )


def vgg(depths: tuple[int, ...], batch_norm: bool, num_classes: int = 1000) -> nn.Module:
    features: list[nn.Module] = []
    c_in = 3
    for depth, c_out in zip(depths, (64, 128, 256, 512, 512), strict=True):
        for _ in range(depth):
            features.append(nn.Conv2d(c_in, c_out, 3, padding=1))
            features += [nn.BatchNorm2d(c_out)] if batch_norm else []
            features.append(nn.ReLU(inplace=True))
            c_in = c_out
        features.append(nn.MaxPool2d(2, stride=2))
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*features),
            avgpool=nn.AdaptiveAvgPool2d((7, 7)),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(
                nn.Linear(512 * 7 * 7, 4096),
                nn.ReLU(inplace=True),
                nn.Dropout(0.5),
                nn.Linear(4096, 4096),
                nn.ReLU(inplace=True),
                nn.Dropout(0.5),
                nn.Linear(4096, num_classes),
            ),
        )
    )


def vgg11(num_classes: int = 1000) -> nn.Module:
    return vgg((1, 1, 2, 2, 2), False, num_classes)


def vgg11_bn(num_classes: int = 1000) -> nn.Module:
    return vgg((1, 1, 2, 2, 2), True, num_classes)


def vgg16(num_classes: int = 1000) -> nn.Module:
    return vgg((2, 2, 3, 3, 3), False, num_classes)


def nin(num_classes: int = 10) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    stages = (
        (nn.Conv2d(3, 192, 5, padding=2), 160, 96),
        (nn.Conv2d(96, 192, 5, padding=2), 192, 192),
        (nn.Conv2d(192, 192, 3, padding=1), 192, num_classes),
    )
    for i, (conv, hidden, c_out) in enumerate(stages):
        first, second = nn.Conv2d(192, hidden, 1), nn.Conv2d(hidden, c_out, 1)
        for name, layer in (
            (f"conv{i + 1}", conv),
            (f"cccp{2 * i + 1}", first),
            (f"cccp{2 * i + 2}", second),
        ):
            layers |= {name: layer, f"{name}_relu": nn.ReLU(inplace=True)}
        if i < 2:
            pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            layers |= {f"pool{i + 1}": pool, f"dropout{i + 1}": nn.Dropout(0.5)}
    return nn.Sequential(layers | {"poolg": nn.AdaptiveAvgPool2d((1, 1)), "flatten": nn.Flatten()})
