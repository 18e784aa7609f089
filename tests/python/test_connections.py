"""Sparse connections, several inputs of one layer, groups of any count."""

import copy

import numpy as np
import pytest
import references

import fastcnn
from fastcnn import _core, nn, ops
from fastcnn.train.checkpoint import load_checkpoint, save_checkpoint


@pytest.mark.parametrize("shape", [(0, 4), (3, 4), (1, 4, 1, 1), (2, 4, 5, 3)])
def test_gather_channels_takes_any_channels_in_any_order(shape):
    rng = np.random.default_rng(0)
    x, index = rng.standard_normal(shape), [3, 0, 0, 2, 3, 3]
    y = ops.gather_channels(x, index)
    np.testing.assert_array_equal(y, x[:, index])
    dy = rng.standard_normal(y.shape)
    dx = np.zeros(shape)
    np.add.at(dx, (slice(None), index), dy)
    np.testing.assert_allclose(ops.gather_channels_backward(dy, x, index), dx, atol=1e-12)
    model = nn.GatherChannels(index)
    np.testing.assert_array_equal(model(x), y)
    assert list(model.state_dict()) == ["index"] and not list(model.parameters())


def test_gather_channels_names_a_channel_that_is_not_there():
    with pytest.raises(ValueError, match="index 4 at place 1 is out of range, expected 0 to 3"):
        ops.gather_channels(np.zeros((1, 4)), [0, 4])
    with pytest.raises(ValueError, match="index -1 at place 0"):
        nn.GatherChannels([-1])(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="in a row"):
        nn.GatherChannels([[1]])


def test_random_connections_read_every_channel_equally_often_and_follow_from_the_seed():
    fastcnn.manual_seed(3)
    connections = nn.random_connections(channels=24, groups=9, filter_channels=8)
    assert connections.dtype == np.int64 and connections.shape == (72,)
    for order in connections.reshape(3, 24):
        np.testing.assert_array_equal(np.sort(order), np.arange(24))
    assert (connections.reshape(3, 24)[0] != connections.reshape(3, 24)[1]).any()
    fastcnn.manual_seed(3)
    np.testing.assert_array_equal(nn.random_connections(24, 9, 8), connections)
    assert (nn.random_connections(24, 9, 8) != connections).any()
    for groups, filter_channels in ((9, 7), (2, 8)):
        with pytest.raises(ValueError, match="doesn't divide 24 channels, or"):
            nn.random_connections(24, groups, filter_channels)


LAYERS = {
    "convolution": (
        lambda: nn.Conv2d(8, 6, 3, padding=1, groups=3, filter_channels=8),
        lambda x, w, b: references.conv2d(x, w, b, padding=1, groups=3),
    ),
    "convolution with untied biases": (
        lambda: nn.Conv2d(8, 6, 3, groups=2, filter_channels=4, shared_bias=False, input_size=5),
        lambda x, w, b: references.conv2d(x, w, groups=2) + b,
    ),
    "local": (
        lambda: nn.LocallyConnected2d(8, 8, 2, 5, stride=3, groups=4, filter_channels=4),
        lambda x, w, b: references.locally_connected2d(x, w, b, stride=3, groups=4),
    ),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_sparse_layers_read_the_channels_of_their_connections(kind):
    make, definition = LAYERS[kind]
    model = make().double()
    connections = model.connections.numpy()
    assert connections.shape == (model.groups * model.filter_channels,)
    x = np.random.default_rng(0).standard_normal((2, 8, 5, 5))
    w, b = model.weight.numpy(), model.bias.numpy()

    def by_definition(x):
        return definition(x[:, connections], w, b)

    given = fastcnn.Tensor(x, requires_grad=True)
    result = model(given)
    np.testing.assert_allclose(result.numpy(), by_definition(x), atol=1e-12)
    dy = np.random.default_rng(1).standard_normal(result.shape)
    result.backward(dy)
    np.testing.assert_allclose(given.grad, references.numerical_gradient(by_definition, x, dy), atol=1e-6)
    assert f"filter_channels={model.filter_channels}" in repr(model)


def test_connections_are_drawn_from_the_seed_copied_and_saved(tmp_path):
    def build(seed):
        fastcnn.manual_seed(seed)
        return nn.Conv2d(16, 8, 3, groups=4, filter_channels=8)

    model, other = build(1), build(2)
    np.testing.assert_array_equal(build(1).connections.value, model.connections.value)
    assert (other.connections.value != model.connections.value).any()
    x = np.random.default_rng(0).standard_normal((2, 16, 5, 5)).astype("f4")
    y = model.eval()(x).numpy()
    assert (other.eval()(x).numpy() != y).any()
    np.testing.assert_array_equal(copy.deepcopy(model)(x), y)
    pytest.importorskip("safetensors")
    save_checkpoint(tmp_path / "model.safetensors", model)
    load_checkpoint(tmp_path / "model.safetensors", other)
    np.testing.assert_array_equal(other.connections.value, model.connections.value)
    np.testing.assert_array_equal(other(x), y)
    assert [name for name, _ in model.named_parameters()] == ["weight", "bias"]


class TwoInputs(nn.Module):
    """One layer over two inputs, each with filters of its own: their sum, one bias, one activation."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 5, padding=2)
        self.b = nn.Conv2d(6, 8, 3, padding=1, groups=2, bias=False)
        self.relu = nn.ReLU()

    def forward(self, a, b):
        return self.relu(self.a(a) + self.b(b))


@pytest.mark.parametrize("training", [False, True])
def test_several_inputs_summed_into_one_layer_are_fused(training):
    model = TwoInputs().train(training)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3, 7, 6)).astype("f4"), rng.standard_normal((2, 6, 7, 6)).astype("f4")
    expected = references.conv2d(a, model.a.weight.value, model.a.bias.value, padding=2)
    expected = np.maximum(expected + references.conv2d(b, model.b.weight.value, padding=1, groups=2), 0)
    np.testing.assert_allclose(model(a, b), expected, atol=1e-5)
    graph = _core.Graph()
    values = [graph.input(shape, "float32", "x") for shape in (a.shape, b.shape)]
    weights = [graph.parameter(layer.weight._core, "w") for layer in (model.a, model.b)]
    bias = graph.parameter(model.a.bias._core, "b")
    first = graph.add(_core.make_op("conv2d", pad=2), [values[0], weights[0], bias], "a")
    second = graph.add(_core.make_op("conv2d", pad=1, groups=2), [values[1], weights[1], _core.NO_VALUE], "b")
    total = graph.add(_core.make_op("add"), [first, second], "add")
    graph.output(graph.add(_core.make_op("activation", function="relu"), [total], "relu"), False)
    names = [node["name"] for node in _core.Plan(graph, training).nodes()]
    assert names == ["a", "b + add + relu"]


def test_gradients_of_several_inputs_summed_into_one_layer():
    model = TwoInputs().double()
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((2, 6, 5, 4))
    y = model(a, b)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    dz = dy * (y.numpy() > 0)
    _, dw, db = ops.conv2d_backward(dz, a, model.a.weight.value, model.a.bias.value, padding=2)
    np.testing.assert_allclose(model.a.weight.grad, dw, atol=1e-10)
    np.testing.assert_allclose(model.a.bias.grad, db, atol=1e-10)
    _, dw, _ = ops.conv2d_backward(dz, b, model.b.weight.value, padding=1, groups=2)
    np.testing.assert_allclose(model.b.weight.grad, dw, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_groups_of_any_count_with_dilation(groups):
    rng = np.random.default_rng(groups)
    x, w = rng.standard_normal((2, 12, 8, 7)), rng.standard_normal((24, 12 // groups, 3, 2))
    options = {"groups": groups, "dilation": (2, 3), "padding": (1, 2), "stride": (1, 2)}
    y = ops.conv2d(x, w, **options)
    np.testing.assert_allclose(y, references.conv2d(x, w, **options), atol=1e-11)
    dy = rng.standard_normal(y.shape)
    dx, dw, _ = ops.conv2d_backward(dy, x, w, **options)  # y is linear in x and in w
    np.testing.assert_allclose([np.sum(dx * x), np.sum(dw * w)], 2 * [np.sum(dy * y)], atol=1e-9)
