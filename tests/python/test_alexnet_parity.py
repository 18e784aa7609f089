"""AlexNet's loss and every gradient are PyTorch's, with the same weights.

Tolerances are relative to the largest element of each gradient.
"""

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn

torch = pytest.importorskip("torch")


def torch_alexnet(state):
    """The same two towers in PyTorch, with the weights of `state`."""
    lrn = {"alpha": 5e-4, "beta": 0.75, "k": 2.0}
    t = torch.nn
    parts = {
        "conv1": t.Conv2d(3, 96, 11, stride=4), "relu1": t.ReLU(), "norm1": t.LocalResponseNorm(5, **lrn),
        "pool1": t.MaxPool2d(3, 2),
        "conv2": t.Conv2d(96, 256, 5, padding=2, groups=2), "relu2": t.ReLU(),
        "norm2": t.LocalResponseNorm(5, **lrn), "pool2": t.MaxPool2d(3, 2),
        "conv3": t.Conv2d(256, 384, 3, padding=1), "relu3": t.ReLU(),
        "conv4": t.Conv2d(384, 384, 3, padding=1, groups=2), "relu4": t.ReLU(),
        "conv5": t.Conv2d(384, 256, 3, padding=1, groups=2), "relu5": t.ReLU(), "pool5": t.MaxPool2d(3, 2),
        "flatten": t.Flatten(), "fc6": t.Linear(9216, 4096), "relu6": t.ReLU(),
        "fc7": t.Linear(4096, 4096), "relu7": t.ReLU(), "fc8": t.Linear(4096, 1000),
    }  # fmt: skip
    model = t.Sequential()
    for name, part in parts.items():
        model.add_module(name, part)
    model.to(getattr(torch, str(state["fc8.bias"].dtype)))
    model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return model


def check_parity(model, tolerance):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 3, 227, 227)).astype(model.dtype), rng.integers(0, 1000, 2)
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()

    other = torch_alexnet(model.state_dict())
    expected = torch.nn.functional.cross_entropy(other(torch.tensor(x)), torch.tensor(y))
    expected.backward()

    np.testing.assert_allclose(float(loss), expected.item(), rtol=tolerance)
    gradients = dict(other.named_parameters())
    for name, parameter in model.named_parameters():
        right = gradients[name].grad.numpy()
        error = abs(parameter.grad - right).max() / abs(right).max()
        assert error < tolerance, f"{name}: {error}"


def test_alexnet_loss_and_gradients_match_torch_in_float32():
    # The paper's initial weights make neighbouring activations nearly alike, so that rounding decides which
    # one max pooling takes, in PyTorch as here; with He's weights it doesn't.
    fastcnn.manual_seed(0)
    model = models.alexnet()
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias, std=0.1)
    check_parity(model, 1e-4)


def test_alexnet_loss_and_gradients_match_torch_with_the_papers_weights_in_float64():
    fastcnn.manual_seed(0)
    check_parity(models.alexnet().double(), 1e-10)
