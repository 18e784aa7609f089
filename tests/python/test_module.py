"""nn.Module: the tree of modules and parameters, state, modes, copies, summaries."""

import copy

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import nn


def small():
    return nn.Sequential({"features": nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), "fc": nn.Linear(8, 3)})


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))


def test_paths_follow_the_order_of_assignment():
    model = small()
    assert [name for name, _ in model.named_modules()] == ["", "features", "features.0", "features.1", "fc"]
    names = ["features.0.weight", "features.0.bias", "fc.weight", "fc.bias"]
    assert [name for name, _ in model.named_parameters()] == names
    assert list(model.state_dict()) == names
    assert len(list(model.parameters())) == 4
    assert [type(child).__name__ for child in model.children()] == ["Sequential", "Linear"]


def test_a_model_may_be_called_while_its_parameters_are_gone_through():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    x = np.ones((1, 4), "f4")
    names = [(name, model.eval()(x), model.train()(x))[0] for name, _ in model.named_parameters()]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_shared_parameters_are_counted_and_trained_once():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["first.weight", "first.bias", "second.bias"]
    x = np.eye(4, dtype="f4")
    model(x).backward(np.ones((4, 4)))
    w, b = model.first.weight.value, model.first.bias.value
    hidden = x @ w.T + b
    expected = np.ones((4, 4)).T @ hidden + (np.ones((4, 4)) @ w).T @ x
    np.testing.assert_allclose(model.first.weight.grad, expected, rtol=1e-5)


def test_values_are_writable_views_in_logical_axes():
    conv = nn.Conv2d(2, 3, (2, 1))
    assert conv.weight.value.shape == (3, 2, 2, 1)
    conv.weight.value[...] = np.arange(12).reshape(3, 2, 2, 1)
    conv.bias.value[:] = 0
    x = np.zeros((1, 2, 2, 1), "f4")
    x[0, 1, 0, 0] = 1
    np.testing.assert_array_equal(conv(x).numpy().ravel(), [2, 6, 10])


def test_a_view_outlives_its_model():
    view = nn.Linear(300, 300).weight.value
    view[...] = 7
    assert (view == 7).all()


def test_state_dict_is_a_copy_that_loads():
    model, other = TwoPaths(), TwoPaths()
    state = model.state_dict()
    other.load_state_dict(state)
    x, _ = batch()
    np.testing.assert_array_equal(model.eval()(x), other.eval()(x))
    state["fc2.bias"][...] = 100
    assert (model.fc2.bias.value != 100).all()


def test_load_state_dict_names_everything_that_is_wrong_and_changes_nothing():
    model = small()
    before = model.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    state["fc.weight"] = np.zeros((3, 9), "f4")
    state["extra"] = np.zeros(1)
    del state["fc.bias"]
    with pytest.raises(ValueError) as raised:
        model.load_state_dict(state)
    message = str(raised.value)
    assert "fc.weight has shape (3, 9), expected (3, 8)" in message
    assert "fc.bias is missing" in message
    assert "extra is unexpected" in message
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    del state["fc.weight"]
    model.load_state_dict(state, strict=False)
    np.testing.assert_array_equal(model.state_dict()["features.0.bias"], before["features.0.bias"] + 1)


def test_train_and_eval_reach_every_module():
    model = small()
    assert model.training
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())
    model.fc.training = False
    assert model.training and not model.fc.training


def test_frozen_parameters_get_no_gradient():
    model = TwoPaths()
    model.conv1.requires_grad_(False)
    x, y = batch()
    nn.CrossEntropyLoss()(model(x), y).backward()
    assert model.conv1.weight.grad is None
    assert model.conv2.weight.grad is not None
    model.conv1.requires_grad_()
    nn.CrossEntropyLoss()(model(x), y).backward()
    assert model.conv1.weight.grad is not None


def test_zero_grad_drops_gradients():
    model = small()
    for parameter in model.parameters():
        assert parameter.grad is None
    linear = model.fc
    linear(np.ones((1, 8))).backward(np.ones((1, 3)))
    assert linear.weight.grad is not None
    model.zero_grad()
    assert linear.weight.grad is None


def test_double_computes_in_float64_and_back():
    model = TwoPaths().eval()
    x, _ = batch()
    single = model(x).numpy()
    double = model.double()(x).numpy()
    assert double.dtype == np.float64
    np.testing.assert_allclose(single, double, atol=1e-5)
    assert model.float()(x).numpy().tobytes() == single.tobytes()


def test_copies_are_independent():
    model = TwoPaths().eval()
    x, _ = batch()
    before = model(x).numpy()
    other = copy.deepcopy(model)
    assert not other.training
    np.testing.assert_array_equal(other(x), before)
    other.fc2.bias.value[...] += 1
    np.testing.assert_array_equal(model(x), before)
    np.testing.assert_allclose(other(x), before + 1, rtol=1e-5)


def test_sequential_is_a_list_of_modules():
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4)]
    model = nn.Sequential(*layers)
    assert len(model) == 3 and model[1] is layers[1] and model[-1] is layers[2] and list(model) == layers
    head = model[:2]
    assert isinstance(head, nn.Sequential) and list(head) == layers[:2]
    model.append(nn.Sigmoid())
    assert model(np.zeros((1, 2))).shape == (1, 4)
    with pytest.raises(TypeError, match="expected a Module, got function"):
        nn.Sequential(layers[0], lambda x: x)
    with pytest.raises(ValueError, match="forward"):
        nn.Sequential({"forward": nn.ReLU()})


def test_module_list_registers_its_modules():
    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Many()
    assert [n for n, _ in model.named_parameters()][::2] == [f"layers.{i}.weight" for i in range(3)]
    model.layers.extend([nn.Linear(2, 5)])
    assert model(np.ones((1, 2))).shape == (1, 5)


def test_summary_counts_parameters_neurons_and_multiply_adds():
    model = nn.Sequential(
        {
            "conv": nn.Conv2d(3, 4, 3, stride=2),
            "relu": nn.ReLU(),
            "flat": nn.Flatten(),
            "fc": nn.Linear(36, 5),
        }
    )
    summary = model.summary((2, 3, 7, 7))
    assert summary.parameters == 3 * 4 * 9 + 4 + 36 * 5 + 5
    assert summary.neurons == 36 + 5
    assert summary.macs == 2 * (36 * 27 + 36 * 5)
    assert [layer.name for layer in summary.layers] == ["conv", "relu", "flat", "fc"]
    assert summary.layers[0].output_shape == (2, 4, 3, 3)
    assert summary.to_dict()["layers"][3]["parameters"] == 185
    assert "2×4×3×3" in str(summary) and "297 parameters" in str(summary)
    assert Tied().summary((1, 4)).parameters == 16 + 4 + 4


def test_repr_shows_the_tree():
    assert repr(small()) == (
        "Sequential(\n  (features): Sequential(\n    (0): Conv2d(1, 2, kernel_size=(3, 3), stride=1)\n"
        "    (1): ReLU()\n  )\n  (fc): Linear(8, 3)\n)"
    )


def test_layers_refuse_bad_options_when_made():
    for make, words in [
        (lambda: nn.Conv2d(3, 8, 0), "kernel_size is 0"),
        (lambda: nn.Conv2d(0, 8, 3), "in_channels is 0"),
        (lambda: nn.Conv2d(3, 8, 3, groups=2), "groups=2"),
        (lambda: nn.Conv2d(3, 8, 3, stride=0), "stride"),
        (lambda: nn.Conv2d(3, 8, 3, padding=-1), "pad"),
        (lambda: nn.Conv2d(3, 8, (3, 3, 3)), "kernel_size"),
        (lambda: nn.Linear(3, -1), "out_features is -1"),
        (lambda: nn.MaxPool2d(2, 0), "stride"),
        (lambda: nn.AvgPool2d(0), "kernel"),
        (lambda: nn.Dropout(1.5), "p"),
        (lambda: nn.LocalResponseNorm(0), "size"),
        (lambda: nn.CrossEntropyLoss("average"), "reduction"),
        (lambda: nn.MSELoss("average"), "reduction"),
    ]:
        with pytest.raises(ValueError, match=words):
            make()


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(np.zeros(1))


def test_public_names_exist():
    for name in fastcnn.__all__:
        assert getattr(fastcnn, name) is not None
    assert set(fastcnn.__all__) <= set(dir(fastcnn))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fastcnn.nothing
