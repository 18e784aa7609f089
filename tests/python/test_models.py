"""The named models: sizes as published."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn

PARAMETERS = {
    "lenet": 431_080,
    "cifar_quick": 145_578,
    "alexnet": 60_965_224,
    "vgg11": 132_863_336,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
}


def parameters(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: np.asarray(value).shape for name, value in model.state_dict().items()}


@pytest.mark.parametrize("name", models.REGISTRY)
def test_parameter_count_is_the_published_one(name: str) -> None:
    entry = models.find(name)
    model = entry.build(entry.num_classes)
    assert sum(parameter.value.size for parameter in model.parameters()) == PARAMETERS[name]
    assert model.summary((1, *entry.input_shape)).parameters == PARAMETERS[name]


def test_lenet_layers() -> None:
    assert parameters(models.lenet()) == {
        "conv1.weight": (20, 1, 5, 5),
        "conv1.bias": (20,),
        "conv2.weight": (50, 20, 5, 5),
        "conv2.bias": (50,),
        "fc1.weight": (500, 800),
        "fc1.bias": (500,),
        "fc2.weight": (10, 500),
        "fc2.bias": (10,),
    }


def test_alexnet_layers() -> None:
    shapes = parameters(models.alexnet())
    assert shapes["conv1.weight"] == (96, 3, 11, 11)
    assert shapes["conv2.weight"] == (256, 48, 5, 5)
    assert shapes["conv3.weight"] == (384, 256, 3, 3)
    assert shapes["conv4.weight"] == (384, 192, 3, 3)
    assert shapes["conv5.weight"] == (256, 192, 3, 3)
    assert shapes["fc6.weight"] == (4096, 9216)
    assert shapes["fc7.weight"] == (4096, 4096)
    assert shapes["fc8.weight"] == (1000, 4096)


def test_lenet_multiply_adds() -> None:
    expected = 20 * 25 * 24 * 24 + 50 * 20 * 25 * 8 * 8 + 800 * 500 + 500 * 10
    assert models.lenet().summary((1, 1, 28, 28)).macs == expected


@pytest.mark.parametrize("num_classes", [2, 10])
@pytest.mark.parametrize("name", models.REGISTRY)
def test_logits_have_a_column_per_class(name: str, num_classes: int) -> None:
    entry = models.find(name)
    model = entry.build(num_classes)
    model.eval()
    y = np.asarray(model(np.zeros((2, *entry.input_shape), np.float32)))
    assert y.shape == (2, num_classes) and np.isfinite(y).all()


def test_lenet_starts_as_in_caffe() -> None:
    fastcnn.manual_seed(0)
    state = models.lenet().state_dict()
    for layer, fan_in in (("conv1", 25), ("conv2", 500), ("fc1", 800), ("fc2", 500)):
        weight = np.asarray(state[f"{layer}.weight"])
        limit = (3 / fan_in) ** 0.5
        assert 0.95 * limit < np.abs(weight).max() <= limit
        assert not np.asarray(state[f"{layer}.bias"]).any()


def test_cifar_quick_starts_as_in_caffe() -> None:
    fastcnn.manual_seed(0)
    state = models.cifar_quick().state_dict()
    for layer, std in (("conv1", 1e-4), ("conv2", 0.01), ("conv3", 0.01), ("fc1", 0.1), ("fc2", 0.1)):
        assert state[f"{layer}.weight"].std() == pytest.approx(std, rel=0.1)
        assert not state[f"{layer}.bias"].any()


def test_alexnet_starts_as_in_the_paper() -> None:
    fastcnn.manual_seed(0)
    state = models.alexnet().state_dict()
    for layer in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"):
        weight = np.asarray(state[f"{layer}.weight"])
        assert abs(weight.mean()) < 3e-4 and abs(weight.std() - 0.01) < 3e-4
        one = layer in ("conv2", "conv4", "conv5", "fc6", "fc7")
        np.testing.assert_array_equal(np.asarray(state[f"{layer}.bias"]), float(one))


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "resnet50", "mobilenet_v2"])
def test_networks_of_torchvision_start_as_there(name: str) -> None:
    """He's normal for fan_out, N(0, 0.01) or PyTorch's uniform in linear layers, no biases."""
    fastcnn.manual_seed(0)
    for module in models.find(name).build(1000).modules():
        if isinstance(module, nn.Conv2d):
            c_out, _, k_h, k_w = module.weight.shape
            std = (2 / (c_out * k_h * k_w)) ** 0.5
            assert module.weight.value.std() == pytest.approx(std, rel=0.2)
            assert module.bias is None or not module.bias.value.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight.value == 1).all() and not module.bias.value.any()
        elif isinstance(module, nn.Linear) and name.startswith("resnet"):
            limit = module.in_features**-0.5
            assert 0.95 * limit < abs(module.weight.value).max() <= limit
            assert 0.9 * limit < abs(module.bias.value).max() <= limit
        elif isinstance(module, nn.Linear):
            assert module.weight.value.std() == pytest.approx(0.01, rel=0.05)
            assert not module.bias.value.any()


def test_unknown_model_suggests_the_near_name() -> None:
    with pytest.raises(ValueError, match="no model 'alexnett'; did you mean alexnet"):
        models.find("alexnett")
    with pytest.raises(
        ValueError, match="no model 'other'; known models: lenet, cifar_quick, alexnet, vgg11"
    ):
        models.find("other")
