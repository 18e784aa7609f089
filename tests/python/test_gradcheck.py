"""gradcheck: right gradients pass, wrong ones are named, kinks and random layers do no harm."""

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import gradcheck, models, nn
from fastcnn.nn import functional
from fastcnn.train import gradients


class Wrong(nn.Module):
    """Its forward pass depends on how often it ran, which no gradient can follow."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(4 * 81, 4)

    def forward(self, x):
        return self.fc(self.flatten(self.conv(x)))


def small(seed=0):
    fastcnn.manual_seed(seed)
    return batch(3)


def test_right_gradients_pass_on_every_kind_of_layer():
    x, y = small()
    result = gradcheck(TwoPaths(0.5), x, y, samples=6)
    assert result and result.passed and not result.failed_layers
    assert [p.name for p in result.parameters] == [n for n, _ in TwoPaths().named_parameters()] + ["input"]
    assert set(result.layers) == {"conv1", "conv2", "fc1", "fc2", "input"}
    assert all(p.elements == 6 or p.name in ("fc2.bias",) for p in result.parameters)
    assert all(p.largest > 0 and p.error < 1e-6 for p in result.parameters)
    text = str(result)
    assert "conv1.weight" in text and "all gradients agree" in text and "FAILED" not in text
    assert result.to_dict()["passed"] is True


@pytest.mark.parametrize("name", ["conv.weight", "conv.bias", "fc.weight", "input"])
def test_a_wrong_gradient_is_named(name, monkeypatch):
    found = gradients._Checker.gradients

    def skewed(checker):
        for own, value, gradient in found(checker):
            yield own, value, gradient * (1.001 if own == name else 1.0)

    monkeypatch.setattr(gradients._Checker, "gradients", skewed)
    x, y = small()
    result = gradcheck(Wrong(), x, y, samples=5)
    assert not result
    layer = name.rpartition(".")[0] or name
    assert result.failed_layers == [layer]
    assert [p.name for p in result.parameters if not p.passed] == [name]
    assert result.layers[layer] == pytest.approx(1e-3, rel=0.01)
    assert "FAILED" in str(result) and "gradients of 1 of 3 layers differ" in str(result)


def test_one_wrong_element_among_many_is_found(monkeypatch):
    found = gradients._Checker.gradients

    def skewed(checker):
        for own, value, gradient in found(checker):
            if own == "fc.weight":
                gradient.flat[np.abs(gradient).argmax()] *= -1
            yield own, value, gradient

    monkeypatch.setattr(gradients._Checker, "gradients", skewed)
    x, y = small()
    assert gradcheck(Wrong(), x, y, samples=4).failed_layers == ["fc"]


def test_the_model_and_the_random_state_stay_as_they_are():
    x, y = small()
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Flatten(), nn.Linear(324, 4)
    )
    model.eval()
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    state, kept = fastcnn.random.get_state(), x.copy()
    assert gradcheck(model, x, y, samples=4)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before
    assert fastcnn.random.get_state() == state and not model.training and model.dtype == "float32"
    np.testing.assert_array_equal(x, kept)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_draws_that_a_step_changes_do_no_harm():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.StochasticPool2d(3, 2), nn.Flatten(), nn.Linear(8 * 81, 4))
    )
    result = gradcheck(model, rng.standard_normal((4, 3, 21, 21)), rng.integers(0, 4, 4), eps=1e-4)
    assert result.passed
    assert all(parameter.kinks == 0 and parameter.largest < 2 for parameter in result.parameters)


def test_gradients_that_are_zero_pass():
    # What batch norm subtracts: the bias of the layer before it has no gradient but rounding.
    x, y = small()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(324, 4))
    bias = next(p for p in gradcheck(model, x, y).parameters if p.name == "0.bias")
    assert bias.passed and bias.error == 0.0 and bias.largest < 1e-8


class Hinge(nn.Module):
    """relu(w x), with its kinks where w x is 0."""

    def __init__(self, value):
        super().__init__()
        self.w = nn.Parameter(np.array([value], "f4"))
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(functional.linear(x, self.w))


def test_kinks_are_counted_and_prove_nothing():
    x = np.eye(3)
    model = Hinge([0.0, 1.0, 2.0])
    assert gradcheck(model, x, check_input=False).parameters[0].kinks == 0  # moved away
    (w,) = gradcheck(model, x, check_input=False, jitter=0).parameters
    assert w.passed and w.kinks == 1 and w.elements == 3 and w.error < 1e-9


def test_a_kink_nearby_is_left_out_by_a_smaller_step():
    (w,) = gradcheck(Hinge([3e-6, 1.0, 2.0]), np.eye(3), check_input=False, jitter=0).parameters
    assert w.passed and w.kinks == 0


def test_several_inputs_targets_and_losses():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)
            self.sigmoid = nn.Sigmoid()

        def forward(self, a, b):
            y = self.a(a) + self.b(b)
            return y, self.sigmoid(y)

    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3)).astype("f4"), rng.standard_normal((5, 2)).astype("f4")
    y = rng.integers(0, 4, 5), rng.uniform(0, 1, (5, 4)).astype("f4")
    criterion = nn.TotalLoss([nn.CrossEntropyLoss(weight=np.arange(1.0, 5)), nn.BCELoss(pos_weight=2.0)])
    result = gradcheck(Two(), x, y, criterion)
    assert result and [p.name for p in result.parameters][-2:] == ["input0", "input1"]
    with pytest.raises(ValueError, match="several outputs needs a target"):
        gradcheck(Two(), x)
    assert gradcheck(nn.Linear(3, 4), x[0])


def test_frozen_and_shared_parameters():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    model[2].weight = model[0].weight
    model[4].requires_grad_(False)
    x, y = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 1, 1])
    result = gradcheck(model, x, y)
    assert result and [p.name for p in result.parameters] == ["0.weight", "0.bias", "2.bias", "input"]


def test_lenet_passes():
    fastcnn.manual_seed(0)
    x = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), dtype=np.uint8)
    x[:, :, :6] = 0
    assert gradcheck(models.lenet(), x / np.float32(255), np.array([3, 8]), samples=8)


@pytest.mark.filterwarnings("ignore")
def test_a_loss_that_is_no_number_fails():
    model = nn.Linear(2, 2)
    model.weight.value[...] = np.nan
    result = gradcheck(model, np.ones((1, 2)), np.array([0]))
    assert not result and result.failed_layers[0] == "weight"


def test_misuse_is_named():
    for arguments in ({"samples": 0}, {"eps": 0.0}, {"tolerance": 0.0}):
        with pytest.raises(ValueError, match="expected above 0"):
            gradcheck(nn.Linear(2, 2), np.ones((1, 2)), np.array([0]), **arguments)
