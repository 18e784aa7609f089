"""The named models: sizes as published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn, optim


class Published(NamedTuple):
    """What torchvision 0.28 says of a network: parameters and billions of multiply-adds for one image, as its
    weights' `num_params` and `_ops`, and `digest` of its state_dict."""

    parameters: int
    giga_macs: float
    digest: str


TORCHVISION = {
    "alexnet_one_tower": Published(61_100_840, 0.714, "9c198ebdae1863e4"),
    "vgg11": Published(132_863_336, 7.609, "cb3dc23f2a13e182"),
    "vgg13": Published(133_047_848, 11.308, "67c1dc8b57fde74b"),
    "vgg16": Published(138_357_544, 15.47, "35c4623e0cd4a39d"),
    "vgg19": Published(143_667_240, 19.632, "4723255af8f6c485"),
    "vgg11_bn": Published(132_868_840, 7.609, "8b6717e727c0ecf9"),
    "vgg13_bn": Published(133_053_736, 11.308, "f6b0597d18a7e4d2"),
    "vgg16_bn": Published(138_365_992, 15.47, "347371586a8ea365"),
    "vgg19_bn": Published(143_678_248, 19.632, "fc3ff6fab2b5cc09"),
    "googlenet": Published(6_624_904, 1.498, "f66489fa14bd9d5a"),
    "squeezenet1_0": Published(1_248_424, 0.819, "4654d26ad581241f"),
    "squeezenet1_1": Published(1_235_496, 0.349, "1d365589393f9c1e"),
    "resnet18": Published(11_689_512, 1.814, "84fb10d9c6905a1c"),
    "resnet34": Published(21_797_672, 3.664, "28f9096d51307499"),
    "resnet50": Published(25_557_032, 4.089, "d7e4f8bb0a536344"),
    "resnet101": Published(44_549_160, 7.801, "02c0f34f4842751f"),
    "resnet152": Published(60_192_808, 11.514, "685c66205bc823aa"),
    "densenet121": Published(7_978_856, 2.834, "aa0fd9923b0003b8"),
    "densenet161": Published(28_681_000, 7.728, "82d337d48f910d3a"),
    "densenet169": Published(14_149_480, 3.36, "e2d0f02d9c0ce650"),
    "densenet201": Published(20_013_928, 4.291, "0d234ad7e9a31b95"),
    "mobilenet_v2": Published(3_504_872, 0.301, "37bbbce8932fd0c4"),
}
OTHERS = {
    "lenet": 431_080,
    "cifar_quick": 145_578,
    "cifar_80sec": 145_578,
    "cifar_19pct": 89_578,
    "cifar_18pct": 89_578,
    "cifar_conv_local_13pct": 4_864 + 102_464 + (64 * 576 + 64) * 32 + (64 * 288 + 64) * 32 + 20_490,
    "cifar_conv_local_11pct": 4_864 + 102_464 + (64 * 576 + 64) * 64 + (64 * 576 + 64) * 32 + 20_490,
    "nin": 966_986,
    "resnet9": 6_573_120,
    "resnet20": 269_722 + 2_752,
    "resnet32": 464_154 + 2_752,
    "resnet44": 658_586 + 2_752,
    "resnet56": 853_018 + 2_752,
    "alexnet": 60_965_224,
}


# Making them takes time; others of their families stand for them.
MANY_WEIGHTS = {"vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet101", "resnet152"}


def digest(state: Iterable[tuple[str, Any]]) -> str:
    """The start of SHA-256 of names and shapes in their order."""
    lines = "\n".join(f"{name} {tuple(value.shape)}" for name, value in state)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def parameters(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in model.named_state()}


@pytest.mark.parametrize("name", models.REGISTRY)
def test_parameters_are_the_published_ones(name: str) -> None:
    entry = models.find(name)
    model = entry.build(entry.num_classes)
    summary = model.summary((1, *entry.input_shape))
    published = TORCHVISION[name].parameters if name in TORCHVISION else OTHERS[name]
    assert sum(parameter.size for parameter in model.parameters()) == published
    assert entry.parameters == summary.parameters == published
    if name in TORCHVISION:
        assert summary.macs / 1e9 == pytest.approx(TORCHVISION[name].giga_macs, abs=6e-4)
        assert digest(model.named_state()) == TORCHVISION[name].digest


def test_googlenet_with_auxiliary_classifiers_has_torchvisions_parameters() -> None:
    model = models.googlenet(aux_logits=True)
    assert sum(parameter.size for parameter in model.parameters()) == 13_004_888
    assert digest(model.named_state()) == "7f541ca29410efb1"


def test_digests_are_those_of_torchvision() -> None:
    torch = pytest.importorskip("torch")
    try:
        from torchvision import models as theirs
    except (ImportError, RuntimeError):  # the latter where it was built for another PyTorch
        pytest.skip("needs torchvision")
    for name, published in TORCHVISION.items():
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        with torch.device("meta"):
            twin = getattr(theirs, name.removesuffix("_one_tower"))(**options)
        assert digest(twin.state_dict().items()) == published.digest, name


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


@pytest.mark.parametrize("name", [name for name in models.REGISTRY if name not in MANY_WEIGHTS])
def test_logits_have_a_column_per_class(name: str) -> None:
    model = models.find(name).build(7).eval()
    channels, height, width = models.find(name).input_shape
    if name != "alexnet":  # which can't read less
        height, width = min(height, 64), min(width, 64)
    y = model(np.zeros((2, channels, height, width), np.float32)).numpy()
    assert y.shape == (2, 7) and np.isfinite(y).all()


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


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "resnet50", "mobilenet_v2"])
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


def test_googlenet_starts_as_in_torchvision() -> None:
    fastcnn.manual_seed(0)
    for module in models.googlenet(aux_logits=True).modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            assert module.weight.value.std() == pytest.approx(0.01, rel=0.05)


def test_squeezenet_starts_as_in_torchvision() -> None:
    fastcnn.manual_seed(0)
    model = models.squeezenet1_1()
    *layers, last = (module for module in model.modules() if isinstance(module, nn.Conv2d))
    for layer in layers:
        limit = (6 / nn.init.fan_in(layer.weight)) ** 0.5
        assert 0.95 * limit < abs(layer.weight.value).max() <= limit
        assert not layer.bias.value.any()
    assert last.weight.value.std() == pytest.approx(0.01, rel=0.05)


def test_densenet_starts_as_in_torchvision() -> None:
    fastcnn.manual_seed(0)
    model = models.densenet121()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            std = (2 / nn.init.fan_in(module.weight)) ** 0.5
            assert module.weight.value.std() == pytest.approx(std, rel=0.1)
    assert not model.classifier.bias.value.any()


def test_cuda_convnets_networks_start_as_its_files_say() -> None:
    fastcnn.manual_seed(0)
    three = {"conv1": 1e-4, "conv2": 0.01, "conv3": 0.01}
    local = {"conv1": 1e-4, "conv2": 0.01, "local3": 0.04, "local4": 0.04, "fc10": 0.01}
    for model, deviations in (
        (models.cifar_80sec(), {**three, "fc64": 0.1, "fc10": 0.1}),
        (models.cifar_19pct(), {**three, "fc10": 0.01}),
        (models.cifar_18pct(), {**three, "fc10": 0.01}),
        (models.cifar_conv_local_13pct(), local),
        (models.cifar_conv_local_11pct(), local),
    ):
        state = model.state_dict()
        for layer, std in deviations.items():
            assert state[f"{layer}.weight"].std() == pytest.approx(std, rel=0.1)
            assert not state[f"{layer}.bias"].any()


def test_alexnet_refuses_an_unknown_order() -> None:
    with pytest.raises(ValueError, match="order is 'caffe', expected paper, cuda-convnet2, caffenet"):
        models.alexnet(order="caffe")


@pytest.mark.parametrize(
    ("name", "shape"),
    [("alexnet", (1, 3, 224, 224)), ("googlenet", (1, 3, 8, 8)), ("cifar_80sec", (2, 3, 28, 28))],
)
def test_wrong_input_size_says_what_the_model_is_made_for(name: str, shape: tuple[int, ...]) -> None:
    model = models.find(name).build(10)
    expected = ", ".join(map(str, models.find(name).input_shape))
    match = re.escape(f"{type(model).__name__} is made for inputs (n, {expected})")
    x, y = np.zeros(shape, np.float32), np.zeros(shape[0], np.int64)
    trainer = fastcnn.Trainer(model, optimizer=optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match=match):
        trainer.step(x, y)
    with pytest.raises(ValueError, match=match):
        model.eval()(x)
    with pytest.raises(ValueError, match=match):
        model.summary(shape)


def test_shape_errors_that_are_not_about_the_size_say_no_more() -> None:
    model = models.lenet().eval()
    model.fc1 = nn.Linear(799, 500)
    with pytest.raises(ValueError, match="input has 800 features, expected 799") as caught:
        model(np.zeros((1, 1, 28, 28), np.float32))
    assert "made for" not in str(caught.value)


def test_unknown_model_suggests_the_near_name() -> None:
    with pytest.raises(ValueError, match="no model 'alexnett'; did you mean alexnet"):
        models.find("alexnett")
    with pytest.raises(ValueError, match="no model 'other'; known models: lenet, cifar_quick, cifar_80sec"):
        models.find("other")
