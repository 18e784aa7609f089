"""Tracing: what becomes a graph, when it is made again, and what forward may not do."""

import gc

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import nn
from fastcnn.nn import functional


class Counting(nn.Module):
    """Counts how often forward runs, without looking like a change of the model."""

    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)
        self.traces = []

    def forward(self, *inputs):
        self.traces.append([x.shape for x in inputs])
        return self.body(*inputs)


def test_forward_runs_once_per_shape_type_and_mode():
    model = Counting(nn.Linear(3, 2), nn.ReLU())
    for _ in range(3):
        model(np.zeros((4, 3), "f4"))
    assert len(model.traces) == 1
    model(np.zeros((5, 3), "f4"))
    assert len(model.traces) == 2
    model.eval()(np.zeros((5, 3), "f4"))
    assert len(model.traces) == 3
    model.train()(np.zeros((4, 3), "f4"))
    model.eval()(np.zeros((5, 3), "f4"))
    assert len(model.traces) == 3


def test_other_modules_made_between_calls_do_not_trace_again():
    model = Counting(nn.Linear(3, 2))
    for _ in range(4):
        criterion = nn.CrossEntropyLoss()
        criterion(model(np.zeros((4, 3), "f4")), [0, 1, 0, 1])
    assert len(model.traces) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.body, "0", nn.Linear(3, 7)),
        lambda m: m.body.append(nn.Linear(2, 7)),
        lambda m: setattr(m.body[0], "weight", nn.Parameter((7, 3))) or setattr(m.body[0], "bias", None),
        lambda m: setattr(m, "body", nn.Linear(3, 7)),
    ],
    ids=["replaced layer", "added layer", "replaced parameter", "replaced body"],
)
def test_a_changed_model_is_traced_again(change):
    model = Counting(nn.Linear(3, 2))
    assert model(np.zeros((4, 3))).shape == (4, 2)
    change(model)
    assert model(np.zeros((4, 3))).shape == (4, 7)


def test_a_changed_option_counts():
    pool = nn.MaxPool2d(2)
    assert pool(np.zeros((1, 1, 8, 8))).shape == (1, 1, 4, 4)
    pool.stride = 1
    assert pool(np.zeros((1, 1, 8, 8))).shape == (1, 1, 7, 7)


def test_new_weights_count_without_a_new_trace():
    model = Counting(nn.Linear(1, 1))
    model(np.ones((1, 1)))
    model.body[0].weight.value[...] = 3
    model.body[0].bias.value[...] = 1
    assert model(np.ones((1, 1))).item() == 4
    assert len(model.traces) == 1


def test_several_inputs_and_outputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, a, b):
            total = self.fc(a) + b
            return total, a, functional.relu(total)

    a, b = np.ones((2, 3), "f4"), np.full((2, 3), -9, "f4")
    model = Net()
    total, same, relu = model(a, b)
    np.testing.assert_allclose(total, model.fc(a).numpy() + b, rtol=1e-6)
    np.testing.assert_array_equal(same, a)
    np.testing.assert_array_equal(relu, np.maximum(total, 0))


def test_an_input_may_be_the_output():
    x = np.arange(6, dtype="f4").reshape(1, 1, 2, 3)
    np.testing.assert_array_equal(nn.Identity()(x), x)
    np.testing.assert_array_equal(nn.Dropout(0.5).eval()(x), x)


def test_arithmetic_inside_and_outside_of_forward():
    class Net(nn.Module):
        def forward(self, x):
            return (2 * x + x + 1).flatten()

    x = np.arange(8, dtype="f4").reshape(1, 2, 2, 2)
    expected = (3 * x + 1).reshape(1, 8)
    np.testing.assert_array_equal(Net()(x), expected)
    t = fastcnn.Tensor(x)
    np.testing.assert_array_equal((2 * t + t + 1).flatten(), expected)


def test_functional_takes_parameters_of_its_own():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = nn.Parameter(np.ones((1, 1, 2, 2)))

        def forward(self, x):
            return functional.conv2d(x, self.kernel)

    model = Net()
    y = model(np.ones((1, 1, 3, 3)))
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), 4))
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(model.kernel.grad, np.full((1, 1, 2, 2), 4))
    np.testing.assert_array_equal(functional.conv2d(np.ones((1, 1, 3, 3)), model.kernel), y)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: bool(x),
        lambda x: x + float(x),
        lambda x: x[0],
        lambda x: list(x),
        lambda x: np.asarray(x),
        lambda x: x.item(),
        lambda x: len(x),
    ],
)
def test_symbols_refuse_to_be_numbers(use):
    class Net(nn.Module):
        def forward(self, x):
            return use(x)

    with pytest.raises(TypeError, match="symbolic value has no numbers"):
        Net()(np.ones((2, 2)))


def test_shapes_may_decide_what_forward_does():
    class Net(nn.Module):
        def forward(self, x):
            assert x.ndim == len(x.shape)
            return x + x if x.shape[0] > 1 else x

    np.testing.assert_array_equal(Net()(np.ones((1, 2))), [[1, 1]])
    np.testing.assert_array_equal(Net()(np.ones((2, 1))), [[2], [2]])


def test_arrays_inside_forward_are_refused():
    class Net(nn.Module):
        def forward(self, x):
            return x + np.ones((2, 2))

    with pytest.raises(TypeError, match="inside forward an op takes values and Parameters, got ndarray"):
        Net()(np.ones((2, 2)))


def test_symbols_live_in_one_forward_only():
    kept = []

    class Net(nn.Module):
        def forward(self, x):
            kept.append(x)
            return x + kept[0]

    model = Net()
    model(np.ones((2, 2)))
    with pytest.raises(TypeError, match="another call"):
        model(np.ones((3, 2)))


def test_forward_must_return_values():
    class Net(nn.Module):
        def forward(self, x):
            return x.shape

    with pytest.raises(TypeError, match="forward returned int"):
        Net()(np.ones(2))


def test_layers_are_named_by_path_and_repeats_are_numbered():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())

        def forward(self, x):
            return functional.sigmoid(self.features(self.features(x)))

    names = [layer.name for layer in Net().summary((1, 1, 2, 2)).layers]
    assert names == ["features.0", "features.1", "features.0#2", "features.1#2", "activation"]


def test_trace_prints_the_plan(monkeypatch, capfd):
    monkeypatch.setenv("FASTCNN_TRACE", "1")
    model = TwoPaths()
    model(batch()[0])
    printed = capfd.readouterr().err
    assert "plan for training" in printed and "conv2 + tanh2 backward" in printed
    model(batch()[0])
    assert capfd.readouterr().err == ""


def test_plans_of_many_shapes_do_not_pile_up():
    model = nn.Linear(2, 2)
    for n in range(100):
        model(np.zeros((n, 2)))
    assert len(model._plan_cache().plans()) <= 16


def test_models_are_freed():
    class Watched(nn.Linear):
        freed = 0

        def __del__(self):
            Watched.freed += 1

    model = Watched(2, 2)
    nn.CrossEntropyLoss()(model(np.ones((3, 2))), [0, 1, 0]).backward()
    del model
    gc.collect()
    assert Watched.freed == 1
