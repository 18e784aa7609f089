"""Whole networks, by function and by name."""

from fastcnn.models.alexnet import AlexNet, alexnet
from fastcnn.models.cifar_quick import CifarQuick, cifar_quick
from fastcnn.models.lenet import LeNet, lenet
from fastcnn.models.mobilenet import MobileNetV2, mobilenet_v2
from fastcnn.models.registry import REGISTRY, Entry, find
from fastcnn.models.resnet import ResNet, resnet18, resnet50
from fastcnn.models.vgg import VGG, vgg11

__all__ = [
    "REGISTRY",
    "VGG",
    "AlexNet",
    "CifarQuick",
    "Entry",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "alexnet",
    "cifar_quick",
    "find",
    "lenet",
    "mobilenet_v2",
    "resnet18",
    "resnet50",
    "vgg11",
]
