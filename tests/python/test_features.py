"""model.features: what a layer inside a model computes."""

import numpy as np
import pytest

from fastcnn import models, nn

rng = np.random.default_rng(0)
X = rng.standard_normal((3, 1, 8, 8)).astype("f4")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.block = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5))
        self.fc1 = nn.Linear(36, 6)
        self.fc2 = nn.Linear(6, 6)
        self.unused = nn.ReLU()

    def forward(self, x):
        x = self.block(self.relu(self.bn(self.conv(x))))
        return self.relu(self.fc2(self.relu(self.fc1(x))))


def values(model):
    """Layer by layer, in inference mode."""
    model.eval()
    expected = {"conv": model.conv(X)}
    expected["bn"] = model.bn(expected["conv"])
    expected["relu"] = nn.functional.relu(expected["bn"])
    expected["block.0"] = model.block[0](expected["relu"])
    expected["block"] = expected["block.1"] = expected["block.2"] = expected["block.0"].flatten()
    expected["fc1"] = model.fc1(expected["block"])
    expected["fc2"] = model.fc2(nn.functional.relu(expected["fc1"]))
    expected[""] = model(X)
    model.train()
    return expected


def test_features_are_what_each_layer_computes_in_inference_mode():
    model = Net()
    model.bn.running_mean.value[...] = 0.5
    for layer, expected in values(model).items():
        actual = model.features(X, layer)
        assert isinstance(actual, np.ndarray)
        np.testing.assert_allclose(actual, expected.numpy(), rtol=1e-5, atol=1e-6, err_msg=layer)
    assert all(module.training for module in model.modules())


def test_features_follow_the_weights():
    model = Net()
    before = model.features(X, "conv")
    model.conv.weight.value[...] *= 2
    model.conv.bias.value[...] *= 2
    np.testing.assert_allclose(model.features(X, "conv"), 2 * before, rtol=1e-6)
    model.conv = nn.Conv2d(1, 7, 3)
    assert model.features(X[:2], "conv").shape == (2, 7, 6, 6)


def test_nothing_after_the_layer_is_computed():
    model = Net()
    model.fc2 = nn.Linear(5, 6)  # doesn't fit
    assert model.features(X, "fc1").shape == (3, 6)
    with pytest.raises(ValueError, match="fc2"):
        model(X)


def test_a_model_with_a_child_called_features_has_the_function():
    model = nn.Sequential({"features": nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), "flatten": nn.Flatten()})
    expected = np.maximum(nn.features(model, X, "features.0"), 0)
    np.testing.assert_array_equal(nn.features(model, X, "features"), expected)
    np.testing.assert_array_equal(model.features(X).numpy(), expected)


def test_a_layer_that_returns_several_values_gives_them_all():
    class Both(nn.Module):
        def forward(self, x):
            return x * 2.0, x + 1.0

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.both = Both()

        def forward(self, x):
            a, b = self.both(x)
            return a + b

    a, b = Sum().features(X, "both")
    np.testing.assert_array_equal(a, 2 * X)
    np.testing.assert_array_equal(b, X + 1)


def test_layers_that_are_not_there_are_named():
    with pytest.raises(ValueError, match=r"Net has no layer 'fc3'; did you mean fc\d or fc\d\?"):
        Net().features(X, "fc3")
    with pytest.raises(ValueError, match="LeNet has no layer 'zzz'; the layers are conv1, pool1"):
        models.lenet().features(X, "zzz")
    with pytest.raises(ValueError, match="Net doesn't call unused"):
        Net().features(X, "unused")
