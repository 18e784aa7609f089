"""optim.SGD against its formula and PyTorch."""

import numpy as np
import pytest

from fastcnn import nn, optim
from fastcnn.train import Trainer

SETTINGS = {
    "plain": {"lr": 0.1},
    "momentum": {"lr": 0.1, "momentum": 0.9},
    "weight decay": {"lr": 0.1, "weight_decay": 0.01},
    "both": {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1},
    "nesterov": {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "nesterov": True},
}


def set_gradient(layer, gradient):
    """Through a loss whose gradient with respect to the weight of a layer of one input is just that."""
    layer.zero_grad()
    layer(np.ones((1, 1), "f4")).backward(gradient)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_sgd_follows_its_formula(settings):
    layer = nn.Linear(1, 40, bias=False)
    w = layer.weight.numpy().astype("f8")
    v = np.zeros_like(w)
    optimizer = optim.SGD(layer.parameters(), **settings)
    mu, decay = settings.get("momentum", 0), settings.get("weight_decay", 0)
    for seed in range(5):
        gradient = np.random.default_rng(seed).standard_normal((1, 40)).astype("f4")
        set_gradient(layer, gradient)
        optimizer.step()
        g = gradient.T + decay * w
        v = mu * v + g
        w -= settings["lr"] * (g + mu * v if settings.get("nesterov") else v)
    np.testing.assert_allclose(layer.weight.value, w, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_sgd_matches_torch(settings):
    torch = pytest.importorskip("torch")
    layer = nn.Linear(1, 40, bias=False)
    tensor = torch.nn.Parameter(torch.tensor(layer.weight.numpy()))
    optimizer, other = optim.SGD(layer.parameters(), **settings), torch.optim.SGD([tensor], **settings)
    for seed in range(5):
        gradient = np.random.default_rng(seed).standard_normal((1, 40)).astype("f4")
        set_gradient(layer, gradient)
        tensor.grad = torch.tensor(gradient.T.copy())
        optimizer.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.1 / (seed + 1)
        optimizer.step()
        other.step()
    np.testing.assert_allclose(layer.weight.value, tensor.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_rate_inside_the_velocity_is_cuda_convnets_update(nesterov):
    layer = nn.Linear(1, 40, bias=False)
    w = layer.weight.numpy().astype("f8")
    v = np.zeros_like(w)
    optimizer = optim.SGD(
        layer.parameters(), momentum=0.9, weight_decay=0.1, nesterov=nesterov, lr_in_velocity=True
    )
    for seed, lr in enumerate([0.1, 0.1, 0.01, 0.01, 0.0]):
        gradient = np.random.default_rng(seed).standard_normal((1, 40)).astype("f4")
        set_gradient(layer, gradient)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        # layer.cu and weights.cu: inc = mom inc + eps (-gradient) - wc eps w; w += inc.
        push = lr * -gradient.T - 0.1 * lr * w
        v = 0.9 * v + push
        w += push + 0.9 * v if nesterov else v
    np.testing.assert_allclose(layer.weight.value, w, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_a_filter_norm_holds_after_each_step(fused):
    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(20, 3))
    weights = [model[0].weight, model[2].weight]
    biases = [model[0].bias, model[2].bias]
    optimizer = optim.SGD([{"params": weights, "filter_norm": 0.7}, {"params": biases}], lr=0.1, momentum=0.9)
    x, y = np.random.default_rng(0).standard_normal((4, 2, 4, 4)).astype("f4"), np.array([0, 1, 2, 0])
    for _ in range(3):
        if fused:
            Trainer(model, optimizer=optimizer).step(x, y)
        else:
            optimizer.zero_grad()
            nn.CrossEntropyLoss()(model(x), y).backward()
            optimizer.step()
        for weight in weights:
            norms = np.sqrt(np.square(weight.numpy()).reshape(len(weight.value), -1).sum(1))
            np.testing.assert_allclose(norms, 0.7, rtol=1e-5)


def test_groups_have_settings_of_their_own():
    a, b = nn.Linear(1, 2, bias=False), nn.Linear(1, 2, bias=False)
    optimizer = optim.SGD(
        [{"params": a.parameters()}, {"params": [b.weight], "lr": 0.0}], lr=0.5, momentum=0.9
    )
    before = a.weight.numpy(), b.weight.numpy()
    for layer in (a, b):
        set_gradient(layer, [[1, 1]])
    optimizer.step()
    np.testing.assert_allclose(a.weight.value, before[0] - 0.5, rtol=1e-6)
    np.testing.assert_array_equal(b.weight.value, before[1])
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.0]


def test_parameters_without_a_gradient_stay():
    a, b = nn.Linear(1, 2), nn.Linear(1, 2)
    optimizer = optim.SGD([*a.parameters(), *b.parameters()], lr=1, weight_decay=0.5)
    set_gradient(a, [[1, 1]])
    before = b.weight.numpy()
    optimizer.step()
    np.testing.assert_array_equal(b.weight.value, before)
    optimizer.zero_grad()
    assert a.weight.grad is None
    before = a.weight.numpy()
    optimizer.step()
    np.testing.assert_array_equal(a.weight.value, before)


def test_state_goes_to_another_optimiser():
    layers = [nn.Linear(1, 3), nn.Linear(1, 3)]
    layers[1].load_state_dict(layers[0].state_dict())
    optimizer = optim.SGD(layers[0].parameters(), lr=0.1, momentum=0.9)
    set_gradient(layers[0], [[1, 2, 3]])
    optimizer.step()
    layers[1].load_state_dict(layers[0].state_dict())
    other = optim.SGD(layers[1].parameters(), lr=7)
    other.load_state_dict(optimizer.state_dict())
    for layer, sgd in zip(layers, (optimizer, other), strict=True):
        set_gradient(layer, [[4, 5, 6]])
        sgd.step()
    assert layers[0].weight.numpy().tobytes() == layers[1].weight.numpy().tobytes()


def test_bad_settings_are_refused():
    layer = nn.Linear(1, 2)
    parameters = list(layer.parameters())
    for arguments, words in [
        (([], {}), "no parameters"),
        ((parameters, {"lr": -1}), "lr is -1"),
        ((parameters, {"lr": float("nan")}), "lr is nan"),
        ((parameters, {"momentum": -0.1}), "momentum"),
        ((parameters, {"momentum": 1.1}), "momentum"),
        ((parameters, {"weight_decay": -0.1}), "weight_decay"),
        ((parameters, {"nesterov": True}), "nesterov needs"),
        ((parameters, {"filter_norm": -1}), "filter_norm is -1"),
        ((parameters, {"filter_norm": 1}), r"filter_norm needs weights of filters or units.*shape \(2,\)"),
        (
            ([nn.Parameter((1, 2, 3, 3, 4, 5))], {"filter_norm": 1}),
            r"rank 2 to 4, got shape \(1, 2, 3, 3, 4, 5\)",
        ),
        (([*parameters, parameters[0]], {}), "given twice"),
        (([{"params": parameters, "speed": 1}], {}), "unknown settings"),
        (([{"lr": 1}], {}), 'no "params"'),
    ]:
        with pytest.raises(ValueError, match=words):
            optim.SGD(arguments[0], **arguments[1])
    with pytest.raises(TypeError, match="expected Parameters, got ndarray"):
        optim.SGD([np.zeros(3)])
    optimizer = optim.SGD(parameters)
    layer.double()
    with pytest.raises(RuntimeError, match="make the optimiser after"):
        optimizer.step()


def test_state_from_before_a_setting_existed_loads():
    layer = nn.Linear(1, 2, bias=False)
    state = optim.SGD(layer.parameters(), lr=0.5).state_dict()
    for name in ("lr_in_velocity", "filter_norm"):
        del state["param_groups"][0][name]
    optimizer = optim.SGD(layer.parameters(), lr=0.1, lr_in_velocity=True)
    optimizer.load_state_dict(state)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["lr_in_velocity"], group["filter_norm"]) == (0.5, False, 0.0)


def test_state_that_does_not_fit_is_refused():
    optimizer = optim.SGD(nn.Linear(1, 2).parameters(), momentum=0.9)
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters, expected \[2\]"):
        optimizer.load_state_dict({**state, "param_groups": [{**state["param_groups"][0], "params": [0]}]})
    with pytest.raises(ValueError, match=r"velocity of parameter 0 has shape \(3,\), expected \(2, 1\)"):
        optimizer.load_state_dict({**state, "velocity": {0: np.zeros(3)}})
    with pytest.raises(ValueError, match="velocity of parameter 5"):
        optimizer.load_state_dict({**state, "velocity": {5: np.zeros(3)}})
