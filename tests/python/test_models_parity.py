"""The named models are their PyTorch twins: with the same weights the same outputs, losses and gradients.

Tolerances are relative to the largest element.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn

torch = pytest.importorskip("torch")
import torch_models  # noqa: E402  # needs torch

CASES = {  # images, and their height and width
    "lenet": (4, 28),
    "cifar_quick": (4, 32),
    "alexnet": (2, 227),
}


def with_random_weights(name: str) -> nn.Module:
    """He's weights, and biases of every size: initial weights make neighbouring activations nearly alike, so
    that rounding decides which one max pooling takes, in PyTorch as here."""
    fastcnn.manual_seed(0)
    entry = models.find(name)
    model = entry.build(entry.num_classes)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def twin_of(name: str, model: nn.Module) -> Any:
    twin = torch_models.MODELS[name]().to(getattr(torch, str(model.dtype)))
    twin.load_state_dict({key: torch.tensor(value) for key, value in model.state_dict().items()})
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return twin


def batch(name: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    images, size = CASES[name]
    entry = models.find(name)
    random = np.random.default_rng(0)
    x = random.standard_normal((images, entry.input_shape[0], size, size)).astype(dtype)
    return x, random.integers(0, entry.num_classes, images)


def assert_near(ours: np.ndarray, theirs: np.ndarray, tolerance: float, what: str) -> None:
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert error <= tolerance, f"{what}: {error:.1e}"


def check_inference(name: str, model: nn.Module, tolerance: float) -> None:
    twin = twin_of(name, model).eval()
    x, _ = batch(name, str(model.dtype))
    with torch.no_grad():
        assert_near(model.eval()(x).numpy(), twin(torch.tensor(x)).numpy(), tolerance, "logits")


def check_training(name: str, model: nn.Module, tolerance: float) -> None:
    """Loss, every gradient, and what else a step changes."""
    twin = twin_of(name, model)
    x, y = batch(name, str(model.dtype))
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    expected = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
    expected.backward()
    np.testing.assert_allclose(float(loss), expected.item(), rtol=tolerance)
    gradients = dict(twin.named_parameters())
    for path, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert_near(parameter.grad, gradients[path].grad.numpy(), tolerance, f"gradient of {path}")
    state = twin.state_dict()
    for path, value in model.state_dict().items():
        np.testing.assert_allclose(value, state[path].numpy(), rtol=tolerance, atol=tolerance, err_msg=path)


@pytest.mark.parametrize("name", CASES)
def test_names_and_shapes_are_torchs_in_its_order(name: str) -> None:
    entry = models.find(name)
    ours = [(key, value.shape) for key, value in entry.build(entry.num_classes).state_dict().items()]
    theirs = [(key, tuple(value.shape)) for key, value in torch_models.MODELS[name]().state_dict().items()]
    assert ours == theirs


@pytest.mark.parametrize("name", CASES)
def test_logits_match_torch_in_inference(name: str) -> None:
    model = with_random_weights(name)
    check_inference(name, model, 1e-4)
    check_inference(name, model.double(), 1e-11)


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradients_match_torch_in_float32(name: str) -> None:
    check_training(name, with_random_weights(name), 1e-4)


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradients_match_torch_in_float64(name: str) -> None:
    check_training(name, with_random_weights(name).double(), 1e-10)
