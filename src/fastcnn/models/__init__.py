"""Whole networks, by function and by name."""

from fastcnn.models.alexnet import AlexNet, AlexNetOneTower, alexnet, alexnet_one_tower
from fastcnn.models.cifar_quick import CifarQuick, cifar_quick
from fastcnn.models.cuda_convnet import (
    CifarNet,
    cifar_18pct,
    cifar_19pct,
    cifar_80sec,
    cifar_conv_local_11pct,
    cifar_conv_local_13pct,
)
from fastcnn.models.densenet import DenseNet, densenet121, densenet161, densenet169, densenet201
from fastcnn.models.googlenet import GoogLeNet, googlenet
from fastcnn.models.lenet import LeNet, lenet
from fastcnn.models.mobilenet import MobileNetV2, mobilenet_v2
from fastcnn.models.nin import NIN, nin
from fastcnn.models.registry import REGISTRY, Entry, find
from fastcnn.models.resnet import (
    CifarResNet,
    ResNet,
    ResNet9,
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
from fastcnn.models.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from fastcnn.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

__all__ = [
    "NIN",
    "REGISTRY",
    "VGG",
    "AlexNet",
    "AlexNetOneTower",
    "CifarNet",
    "CifarQuick",
    "CifarResNet",
    "DenseNet",
    "Entry",
    "GoogLeNet",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "ResNet9",
    "SqueezeNet",
    "alexnet",
    "alexnet_one_tower",
    "cifar_18pct",
    "cifar_19pct",
    "cifar_80sec",
    "cifar_conv_local_11pct",
    "cifar_conv_local_13pct",
    "cifar_quick",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "find",
    "googlenet",
    "lenet",
    "mobilenet_v2",
    "nin",
    "resnet9",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet152",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
