"""The models that have a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastcnn._names import did_you_mean
from fastcnn.models.alexnet import alexnet, alexnet_one_tower
from fastcnn.models.cifar_quick import cifar_quick
from fastcnn.models.cuda_convnet import (
    cifar_18pct,
    cifar_19pct,
    cifar_80sec,
    cifar_conv_local_11pct,
    cifar_conv_local_13pct,
)
from fastcnn.models.densenet import densenet121, densenet161, densenet169, densenet201
from fastcnn.models.googlenet import googlenet
from fastcnn.models.lenet import lenet
from fastcnn.models.mobilenet import mobilenet_v2
from fastcnn.models.nin import nin
from fastcnn.models.resnet import (
    resnet9,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet152,
)
from fastcnn.models.squeezenet import squeezenet1_0, squeezenet1_1
from fastcnn.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from fastcnn.nn import Module


@dataclass(frozen=True)
class Entry:
    """How to build a model, and what it reads and tells apart by default.

    Attributes:
        build: takes num_classes.
        input_shape: (channels, height, width).
        parameters: how many numbers train, for `num_classes` classes.
        about: where it comes from, in a line.
    """

    build: Callable[[int], Module]
    input_shape: tuple[int, int, int]
    num_classes: int
    parameters: int
    about: str


def _cifar(build: Callable[[int], Module], parameters: int, about: str) -> Entry:
    return Entry(build, (3, 32, 32), 10, parameters, about)


def _imagenet(build: Callable[[int], Module], parameters: int, about: str) -> Entry:
    return Entry(build, (3, 224, 224), 1000, parameters, about)


REGISTRY = {
    "lenet": Entry(lenet, (1, 28, 28), 10, 431_080, "LeCun et al. 1998, as Caffe has it"),
    "cifar_quick": _cifar(cifar_quick, 145_578, "Caffe's cifar10_quick, after cifar_80sec"),
    "cifar_80sec": _cifar(cifar_80sec, 145_578, "cuda-convnet, 80sec"),
    "cifar_19pct": _cifar(cifar_19pct, 89_578, "cuda-convnet, 19pct"),
    "cifar_18pct": _cifar(cifar_18pct, 89_578, "cuda-convnet, 18pct"),
    "cifar_conv_local_13pct": _cifar(cifar_conv_local_13pct, 1_901_386, "cuda-convnet, conv-local-13pct"),
    "cifar_conv_local_11pct": _cifar(cifar_conv_local_11pct, 3_672_906, "cuda-convnet, conv-local-11pct"),
    "nin": _cifar(nin, 966_986, "Lin et al. 2014: 1x1 convolutions instead of linear layers"),
    "resnet9": _cifar(resnet9, 6_573_120, "Page 2018: two residual pairs among eight convolutions"),
    "resnet20": _cifar(resnet20, 272_474, "He et al. 2016: 9 residual blocks of two convolutions"),
    "resnet32": _cifar(resnet32, 466_906, "He et al. 2016: 15 residual blocks of two convolutions"),
    "resnet44": _cifar(resnet44, 661_338, "He et al. 2016: 21 residual blocks of two convolutions"),
    "resnet56": _cifar(resnet56, 855_770, "He et al. 2016: 27 residual blocks of two convolutions"),
    "alexnet": Entry(alexnet, (3, 227, 227), 1000, 60_965_224, "Krizhevsky et al. 2012: two towers"),
    "alexnet_one_tower": _imagenet(alexnet_one_tower, 61_100_840, "Krizhevsky 2014, torchvision's alexnet"),
    "vgg11": _imagenet(vgg11, 132_863_336, "Simonyan and Zisserman 2015, configuration A"),
    "vgg11_bn": _imagenet(vgg11_bn, 132_868_840, "vgg11 with batch normalisation"),
    "vgg13": _imagenet(vgg13, 133_047_848, "Simonyan and Zisserman 2015, configuration B"),
    "vgg13_bn": _imagenet(vgg13_bn, 133_053_736, "vgg13 with batch normalisation"),
    "vgg16": _imagenet(vgg16, 138_357_544, "Simonyan and Zisserman 2015, configuration D"),
    "vgg16_bn": _imagenet(vgg16_bn, 138_365_992, "vgg16 with batch normalisation"),
    "vgg19": _imagenet(vgg19, 143_667_240, "Simonyan and Zisserman 2015, configuration E"),
    "vgg19_bn": _imagenet(vgg19_bn, 143_678_248, "vgg19 with batch normalisation"),
    "googlenet": _imagenet(googlenet, 6_624_904, "Szegedy et al. 2015: Inception modules"),
    "squeezenet1_0": _imagenet(squeezenet1_0, 1_248_424, "Iandola et al. 2016: Fire modules"),
    "squeezenet1_1": _imagenet(squeezenet1_1, 1_235_496, "squeezenet1_0 with 43% of its multiply-adds"),
    "resnet18": _imagenet(resnet18, 11_689_512, "He et al. 2016: 8 residual blocks of two convolutions"),
    "resnet34": _imagenet(resnet34, 21_797_672, "He et al. 2016: 16 residual blocks of two convolutions"),
    "resnet50": _imagenet(resnet50, 25_557_032, "He et al. 2016: 16 residual bottlenecks"),
    "resnet101": _imagenet(resnet101, 44_549_160, "He et al. 2016: 33 residual bottlenecks"),
    "resnet152": _imagenet(resnet152, 60_192_808, "He et al. 2016: 50 residual bottlenecks"),
    "densenet121": _imagenet(densenet121, 7_978_856, "Huang et al. 2017: 58 layers of 32 channels"),
    "densenet161": _imagenet(densenet161, 28_681_000, "Huang et al. 2017: 78 layers of 48 channels"),
    "densenet169": _imagenet(densenet169, 14_149_480, "Huang et al. 2017: 82 layers of 32 channels"),
    "densenet201": _imagenet(densenet201, 20_013_928, "Huang et al. 2017: 98 layers of 32 channels"),
    "mobilenet_v2": _imagenet(mobilenet_v2, 3_504_872, "Sandler et al. 2018: inverted residuals, depthwise"),
}


def find(name: str) -> Entry:
    """The registered model of that name.

    Raises:
        ValueError: there is none; says which name is near.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    hint = did_you_mean(name, REGISTRY) or f"; known models: {', '.join(REGISTRY)}"
    raise ValueError(f"no model {name!r}{hint}")
