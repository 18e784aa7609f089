"""The named models are their PyTorch twins: with the same weights the same outputs, losses and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn

torch = pytest.importorskip("torch")
import torch_models  # noqa: E402  # needs torch

torch.set_num_threads(1)  # on a busy machine two wait long for each other, in each of thousands of small ops


class Batch(NamedTuple):
    """Square images, and how far float32 gradients may be from PyTorch's.

    Where rounding decides on which side of 0 an activation is, or which is the largest of a window, gradients
    jump; the more layers, the more of that. One activation of NIN's that is 0 in one of the systems alone
    moves the gradient of conv1 by 1%. PyTorch's float32 gradients of ResNet-50 and MobileNetV2 are 1 to 3%
    from those that it finds in float64, which are the ones to be met.
    """

    images: int
    size: int
    tolerance: float


CASES = {
    "lenet": Batch(4, 28, 1e-4),
    "cifar_quick": Batch(4, 32, 1e-3),
    "cifar_80sec": Batch(4, 32, 1e-3),
    "cifar_19pct": Batch(4, 32, 1e-3),
    "cifar_18pct": Batch(4, 32, 1e-3),
    "cifar_conv_local_13pct": Batch(4, 32, 1e-3),
    "cifar_conv_local_11pct": Batch(4, 32, 1e-3),
    "nin": Batch(2, 32, 3e-2),
    "alexnet": Batch(2, 227, 1e-2),
    "alexnet_one_tower": Batch(2, 64, 1e-2),
    "vgg11": Batch(1, 64, 5e-2),
    "vgg11_bn": Batch(4, 32, 5e-2),
    "googlenet": Batch(4, 64, 1e-1),
    "squeezenet1_0": Batch(2, 64, 1e-2),
    "squeezenet1_1": Batch(2, 64, 1e-2),
    "resnet9": Batch(4, 32, 1e-2),
    "resnet18": Batch(8, 64, 1e-2),
    "resnet20": Batch(4, 32, 1e-2),
    "resnet34": Batch(4, 64, 1e-1),
    "resnet50": Batch(4, 64, 1e-1),
    "densenet121": Batch(4, 64, 1e-1),
    "mobilenet_v2": Batch(4, 64, 1e-1),
}
LIGHT = [name for name in CASES if not name.startswith("vgg")]  # VGG's 133 million parameters take time


def with_random_weights(name: str, **options: Any) -> nn.Module:
    """He's weights, and biases of every size: initial weights make neighbouring activations nearly alike, so
    that rounding decides which one max pooling takes, in PyTorch as here."""
    fastcnn.manual_seed(0)
    model = getattr(models, name)(**options)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.LocallyConnected2d):
            nn.init.normal_(module.weight, std=(2 / (9 * module.in_channels)) ** 0.5)
        weighted = isinstance(module, (nn.Conv2d, nn.LocallyConnected2d, nn.Linear))
        if weighted and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.BatchNorm2d):
            for parameter in (module.weight, module.running_var):
                nn.init.uniform_(parameter, 0.5, 1.5)
            for parameter in (module.bias, module.running_mean):
                nn.init.normal_(parameter, std=0.1)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def twin_of(model: nn.Module, build: Callable[..., Any], **options: Any) -> Any:
    """The network in PyTorch, with the model's weights."""
    with torch.device("meta"):  # no weights of its own
        twin = build(**options)
    state = {key: torch.from_numpy(value) for key, value in model.state_dict().items()}
    twin.load_state_dict(state, assign=True)
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return twin


def batch_of(name: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    images, size, _ = CASES[name]
    entry = models.find(name)
    random = np.random.default_rng(0)
    x = random.standard_normal((images, entry.input_shape[0], size, size)).astype(dtype)
    return x, random.integers(0, entry.num_classes, images)


def check_inference(name: str, model: nn.Module, tolerance: float) -> None:
    twin = twin_of(model, torch_models.MODELS[name]).eval()
    x, _ = batch_of(name, str(model.dtype))
    with torch.no_grad():
        theirs = twin(torch.tensor(x)).numpy()
    np.testing.assert_allclose(model.eval()(x).numpy(), theirs, rtol=0, atol=tolerance * abs(theirs).max())


def check_training(name: str, model: nn.Module, tolerance: float) -> None:
    """Loss, every gradient, and what else a step changes: the running statistics."""
    twin = twin_of(model, torch_models.MODELS[name])
    x, y = batch_of(name, str(model.dtype))
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    expected = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
    expected.backward()
    near = min(tolerance, 1e-4)
    np.testing.assert_allclose(float(loss), expected.item(), rtol=near)
    check_gradients(model, twin, tolerance)
    state = twin.state_dict()
    for path, value in model.state_dict().items():
        np.testing.assert_allclose(value, state[path].numpy(), rtol=near, atol=near, err_msg=path)


def check_gradients(model: nn.Module, twin: Any, tolerance: float) -> None:
    """By the norm of their difference, relative to their own; some of MobileNetV2's are 0 but for rounding,
    hence the least norm."""
    gradients = {path: parameter.grad.numpy() for path, parameter in twin.named_parameters()}
    least = 1e-3 * max(map(np.linalg.norm, gradients.values()))
    for path, parameter in model.named_parameters():
        assert parameter.grad is not None, path
        norm = max(np.linalg.norm(gradients[path]), least)
        error = np.linalg.norm(parameter.grad - gradients[path]) / norm
        assert error <= tolerance, f"gradient of {path}: {error:.1e}"


@pytest.mark.parametrize("name", CASES)
def test_names_and_shapes_are_torchs_in_its_order(name: str) -> None:
    entry = models.find(name)
    ours = [(key, value.shape) for key, value in entry.build(entry.num_classes).named_state()]
    with torch.device("meta"):
        twin = torch_models.MODELS[name]()
    theirs = [(key, tuple(value.shape)) for key, value in twin.state_dict().items()]
    assert ours == theirs


@pytest.mark.parametrize("name", CASES)
def test_logits_match_torch_in_inference(name: str) -> None:
    check_inference(name, with_random_weights(name), 1e-4)


@pytest.mark.parametrize("name", LIGHT)
def test_logits_match_torch_in_inference_in_float64(name: str) -> None:
    check_inference(name, with_random_weights(name).double(), 1e-11)


@pytest.mark.parametrize("name", LIGHT)
def test_loss_and_gradients_match_torch(name: str) -> None:
    check_training(name, with_random_weights(name), CASES[name].tolerance)


@pytest.mark.parametrize("name", [*LIGHT, "vgg11_bn"])
def test_loss_and_gradients_match_torch_in_float64(name: str) -> None:
    check_training(name, with_random_weights(name).double(), 1e-9)


@pytest.mark.parametrize("order", ["cuda-convnet2", "caffenet"])
def test_orders_of_alexnet_match_torch(order: str) -> None:
    model = with_random_weights("alexnet", order=order)
    x = batch_of("alexnet", "float32")[0]
    with torch.no_grad():
        theirs = twin_of(model, torch_models.alexnet_in_order, order=order)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(model.eval()(x).numpy(), theirs, rtol=0, atol=1e-4 * abs(theirs).max())


def test_auxiliary_classifiers_of_googlenet_match_torch() -> None:
    """Logits and gradients of the paper's loss: 0.3 times those of the auxiliary ones added."""
    model = with_random_weights("googlenet", aux_logits=True).double()
    twin = twin_of(model, torch_models.MODELS["googlenet"], aux_logits=True)
    x, y = batch_of("googlenet", "float64")
    outputs, theirs = model(x), twin(torch.tensor(x))
    assert len(outputs) == 3
    for logits, expected in zip(outputs, theirs, strict=True):
        np.testing.assert_allclose(logits, expected.detach(), rtol=1e-9, atol=1e-9)
    criterion = nn.CrossEntropyLoss()
    losses = [criterion(logits, y) for logits in outputs]
    (losses[0] + 0.3 * (losses[1] + losses[2])).backward()
    losses = [torch.nn.functional.cross_entropy(logits, torch.tensor(y)) for logits in theirs]
    (losses[0] + 0.3 * (losses[1] + losses[2])).backward()
    check_gradients(model, twin, 1e-9)
    model.eval()
    twin.eval()
    np.testing.assert_allclose(model(x), twin(torch.tensor(x)).detach(), rtol=1e-9, atol=1e-9)
