"""cuda-convnet's networks for CIFAR-10."""

from __future__ import annotations

from fastcnn import nn


class CifarNet(nn.Sequential):
    """Layers under the names that they have in cuda-convnet's files, neurons as `relu1`, `relu2`, ...

    Each reads (n, 3, 32, 32) and returns logits (n, num_classes). Pools are 3x3 with stride 2; they round
    up, to 16, 8 and 4 pixels, and average over the part of a window that is in the image. Weights start
    normal with the files' standard deviations (initW), biases as 0.
    """

    input_shape = (3, 32, 32)


def cifar_80sec(num_classes: int = 10) -> CifarNet:
    """layers-80sec.cfg, "26% error on CIFAR-10 in 80 seconds"; 145,578 parameters for 10 classes."""
    return CifarNet(
        {
            **_three_convolutions(),
            "flatten": nn.Flatten(),
            "fc64": _started(nn.Linear(64 * 4 * 4, 64), 0.1),
            "relu4": nn.ReLU(),
            "fc10": _started(nn.Linear(64, num_classes), 0.1),
        }
    )


def cifar_19pct(num_classes: int = 10) -> CifarNet:
    """layers-19pct.cfg, "19% error on CIFAR-10 in 20 minutes"; 89,578 parameters for 10 classes."""
    return CifarNet(
        {
            **_three_convolutions(),
            "flatten": nn.Flatten(),
            "fc10": _started(nn.Linear(64 * 4 * 4, num_classes), 0.01),
        }
    )


def cifar_18pct(num_classes: int = 10) -> CifarNet:
    """layers-18pct.cfg, "18% error on CIFAR-10 in 20 minutes"; 89,578 parameters for 10 classes.

    cifar_19pct with its first two pools normalised within each map, x / (1 + 5e-5 / 9 · sum x²)^0.75 over
    3x3 pixels.
    """
    return CifarNet(
        {
            **_three_convolutions(normalised=True),
            "flatten": nn.Flatten(),
            "fc10": _started(nn.Linear(64 * 4 * 4, num_classes), 0.01),
        }
    )


def cifar_conv_local_13pct(num_classes: int = 10) -> CifarNet:
    """layers-conv-local-13pct.cfg, "13% error on CIFAR-10 in 20 minutes": two convolutions and two locally
    connected layers; 1,901,386 parameters for 10 classes."""
    return CifarNet(
        {
            "conv1": _conv(3, 64, 1e-4),
            "relu1": nn.ReLU(),
            "pool1": _max_pool(),
            "conv2": _conv(64, 64, 0.01),
            "relu2": nn.ReLU(),
            "pool2": _max_pool(),
            **_two_local_layers(32),
            "flatten": nn.Flatten(),
            "fc10": _started(nn.Linear(32 * 8 * 8, num_classes), 0.01),
        }
    )


def cifar_conv_local_11pct(num_classes: int = 10) -> CifarNet:
    """layers-conv-local-11pct.cfg: cifar_conv_local_13pct with normalisation across nine maps,
    x / (1 + 0.001 / 9 · sum x²)^0.75, and a wider first local layer; 3,672,906 parameters for 10 classes."""
    return CifarNet(
        {
            "conv1": _conv(3, 64, 1e-4),
            "relu1": nn.ReLU(),
            "pool1": _max_pool(),
            "rnorm1": nn.LocalResponseNorm(9, alpha=1e-3),
            "conv2": _conv(64, 64, 0.01),
            "relu2": nn.ReLU(),
            "rnorm2": nn.LocalResponseNorm(9, alpha=1e-3),
            "pool2": _max_pool(),
            **_two_local_layers(64),
            "flatten": nn.Flatten(),
            "fc10": _started(nn.Linear(32 * 8 * 8, num_classes), 0.01),
        }
    )


def _three_convolutions(normalised: bool = False) -> dict[str, nn.Module]:
    layers = {
        "conv1": _conv(3, 32, 1e-4),
        "pool1": _max_pool(),
        "relu1": nn.ReLU(),
        "rnorm1": nn.SpatialResponseNorm(3, alpha=5e-5),
        "conv2": _conv(32, 32, 0.01),
        "relu2": nn.ReLU(),
        "pool2": _mean_pool(),
        "rnorm2": nn.SpatialResponseNorm(3, alpha=5e-5),
        "conv3": _conv(32, 64, 0.01),
        "relu3": nn.ReLU(),
        "pool3": _mean_pool(),
    }
    return {name: layer for name, layer in layers.items() if normalised or not name.startswith("rnorm")}


def _two_local_layers(width: int) -> dict[str, nn.Module]:
    """Of `width` and 32 channels, on 64 maps of 8x8."""
    return {
        "local3": _started(nn.LocallyConnected2d(64, width, 3, input_size=8, padding=1), 0.04),
        "relu3": nn.ReLU(),
        "local4": _started(nn.LocallyConnected2d(width, 32, 3, input_size=8, padding=1), 0.04),
        "relu4": nn.ReLU(),
    }


def _conv(c_in: int, c_out: int, std: float) -> nn.Module:
    return _started(nn.Conv2d(c_in, c_out, 5, padding=2), std)


def _max_pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _mean_pool() -> nn.Module:
    return nn.AvgPool2d(3, stride=2, ceil_mode=True)


def _started(layer: nn.Conv2d | nn.LocallyConnected2d | nn.Linear, std: float) -> nn.Module:
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
