"""Whole networks, by function and by name."""

from fastcnn.models.alexnet import AlexNet, alexnet
from fastcnn.models.cifar_quick import CifarQuick, cifar_quick
from fastcnn.models.lenet import LeNet, lenet
from fastcnn.models.registry import REGISTRY, Entry, find

__all__ = ["REGISTRY", "AlexNet", "CifarQuick", "Entry", "LeNet", "alexnet", "cifar_quick", "find", "lenet"]
