"""Locally connected convolution and untied biases: functions and modules."""

import numpy as np
import pytest
import references

import fastcnn
from fastcnn import ShapeError, nn, ops

CASES = {
    "plain": ((2, 3, 6, 7), (4, 5, 3, 3, 3, 4), {}),
    "padding": ((3, 4, 5, 5), (5, 5, 3, 3, 4, 6), {"padding": 1}),
    "stride beyond the kernel": ((2, 3, 9, 8), (3, 4, 2, 1, 3, 5), {"stride": (3, 2)}),
    "dilation": ((1, 2, 9, 10), (5, 7, 3, 2, 2, 3), {"dilation": (2, 3)}),
    "groups": ((2, 4, 5, 6), (5, 6, 3, 3, 2, 6), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 4, 7, 7), (3, 3, 3, 3, 1, 8), {"groups": 4, "stride": 2}),
    "whole image": ((2, 3, 4, 5), (1, 1, 4, 5, 3, 6), {}),
}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def arrays(x_shape, w_shape, dtype="float64"):
    rng = np.random.default_rng(0)
    b_shape = (1, w_shape[5], *w_shape[:2])
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape, b_shape))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_locally_connected2d_matches_loops(case, dtype):
    x_shape, w_shape, options = CASES[case]
    x, w, b = arrays(x_shape, w_shape, dtype)
    y = ops.locally_connected2d(x, w, b, **options)
    assert y.dtype == dtype
    expected = references.locally_connected2d(*(a.astype("float64") for a in (x, w, b)), **options)
    np.testing.assert_allclose(y, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("case", CASES)
def test_locally_connected2d_gradients_match_finite_differences(case):
    x_shape, w_shape, options = CASES[case]
    given = arrays(x_shape, w_shape)
    dy = np.random.default_rng(1).standard_normal(ops.locally_connected2d(*given, **options).shape)
    gradients = ops.locally_connected2d_backward(dy, *given, **options)
    for i, gradient in enumerate(gradients):

        def of_one(a, i=i):
            return ops.locally_connected2d(*given[:i], a, *given[i + 1 :], **options)

        np.testing.assert_allclose(gradient, references.numerical_gradient(of_one, given[i], dy), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_locally_connected2d_and_its_gradients_match_torch_unfold(case):
    torch = pytest.importorskip("torch")
    x_shape, w_shape, options = CASES[case]
    given = arrays(x_shape, w_shape)
    x, w, b = (torch.tensor(a, requires_grad=True) for a in given)
    h_out, w_out, kh, kw, c_in, c_out = w_shape
    groups = options.get("groups", 1)
    unfolding = {k: v for k, v in options.items() if k != "groups"}
    windows = torch.nn.functional.unfold(x, (kh, kw), **unfolding)
    windows = windows.reshape(len(x), groups, c_in, kh, kw, h_out, w_out)
    filters = w.reshape(h_out, w_out, kh, kw, c_in, groups, c_out // groups)
    sums = torch.einsum("ngcpqij,ijpqcgo->ngoij", windows, filters)
    expected = sums.reshape(len(x), c_out, h_out, w_out) + b
    y = ops.locally_connected2d(*given, **options)
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-11)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    expected.backward(torch.tensor(dy))
    gradients = ops.locally_connected2d_backward(dy, *given, **options)
    for gradient, tensor in zip(gradients, (x, w, b), strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), atol=1e-10)


def test_the_weights_of_a_local_layer_of_cuda_convnet_are_a_transpose_away():
    x, w, _ = arrays((2, 3, 5, 5), (3, 3, 3, 3, 3, 4))
    matrix = np.random.default_rng(1).standard_normal((9 * 3 * 9, 4))
    w = matrix.reshape(3, 3, 3, 3, 3, 4).transpose(0, 1, 3, 4, 2, 5)
    y = ops.locally_connected2d(x, w)
    for position in range(9):
        i, j = divmod(position, 3)
        rows = matrix[position * 27 : (position + 1) * 27]
        window = x[:, :, i : i + 3, j : j + 3].reshape(2, 27)
        np.testing.assert_allclose(y[:, :, i, j], window @ rows, atol=1e-12)


def test_locally_connected2d_of_no_images_and_of_one():
    _, w, b = arrays((1, 3, 5, 5), (3, 3, 3, 3, 3, 4), "float32")
    assert ops.locally_connected2d(np.zeros((0, 3, 5, 5)), w, b).shape == (0, 4, 3, 3)
    _, dw, db = ops.locally_connected2d_backward(np.zeros((0, 4, 3, 3)), np.zeros((0, 3, 5, 5)), w, b)
    assert not dw.any() and not db.any()
    np.testing.assert_allclose(ops.locally_connected2d(np.zeros((1, 3, 5, 5)), w, b), b)


def test_locally_connected2d_names_what_came_and_what_was_expected():
    x, w, b = arrays((2, 3, 6, 7), (4, 5, 3, 3, 3, 4))
    with pytest.raises(ShapeError, match="filters for 4x5 positions, but over this input windows have 3x5"):
        ops.locally_connected2d(x[:, :, 1:], w)
    with pytest.raises(ShapeError, match=r"bias has shape \(4,\), expected \(1, 4, 4, 5\)"):
        ops.locally_connected2d(x, w, b[0, :, 0, 0])


def test_module_starts_like_a_convolution_and_trains():
    model = nn.LocallyConnected2d(8, 6, 3, 5, padding=1, groups=2)
    assert model.weight.shape == (5, 5, 3, 3, 4, 6) and model.bias.shape == (1, 6, 5, 5)
    assert nn.init.fan_in(model.weight) == 36 and nn.init.fan_out(model.weight) == 54
    bound = 1 / 6
    for parameter in model.parameters():
        assert 0.9 * bound < np.abs(parameter.value).max() <= bound
    x = np.random.default_rng(0).standard_normal((3, 8, 5, 5)).astype("f4")
    y = model(x)
    expected = ops.locally_connected2d(x, model.weight.value, model.bias.value, padding=1, groups=2)
    np.testing.assert_array_equal(y.numpy(), expected)
    y.backward(np.ones(y.shape))
    np.testing.assert_allclose(model.bias.grad, np.full((1, 6, 5, 5), 3))
    assert model.weight.grad.shape == model.weight.shape
    assert repr(model) == (
        "LocallyConnected2d(8, 6, kernel_size=(3, 3), stride=1, padding=1, groups=2, input_size=(5, 5))"
    )


def test_module_with_the_filters_of_a_convolution_is_one():
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1)
    local = nn.LocallyConnected2d(4, 6, 3, input_size=(7, 9), stride=2, padding=1)
    local.weight.value[...] = conv.weight.value.transpose(2, 3, 1, 0)
    local.bias.value[...] = conv.bias.value[:, None, None]
    x = np.random.default_rng(0).standard_normal((2, 4, 7, 9))
    np.testing.assert_allclose(local.eval()(x), conv.eval()(x), atol=1e-5)


def test_module_takes_in_the_activation_behind_it_and_is_counted():
    model = nn.Sequential(nn.LocallyConnected2d(3, 4, 3, 6), nn.ReLU())
    summary = model.summary((2, 3, 6, 6))
    assert summary.parameters == 16 * (27 * 4 + 4)
    assert summary.neurons == 64 and summary.macs == 2 * 16 * 27 * 4
    assert [layer.kind for layer in summary.layers] == ["locally_connected2d", "activation"]
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6))
    y = model(x).numpy()
    assert (y >= 0).all() and (y == 0).any()


@pytest.mark.parametrize("shape", [(5,), (3, 4), (0, 2, 3, 3), (1, 3, 4, 5), (6, 3, 4, 5)])
def test_untied_bias_adds_to_every_sample(shape):
    rng = np.random.default_rng(0)
    x, b, dy = rng.standard_normal(shape), rng.standard_normal((1, *shape[1:])), rng.standard_normal(shape)
    np.testing.assert_array_equal(ops.untied_bias(x, b), x + b)
    dx, db = ops.untied_bias_backward(dy, x, b)
    np.testing.assert_array_equal(dx, dy)
    np.testing.assert_allclose(db, dy.sum(axis=0, keepdims=True), atol=1e-12)


def test_convolution_with_untied_biases_adds_one_per_position():
    conv = nn.Conv2d(3, 5, 3, stride=2, padding=1, shared_bias=False, input_size=(9, 8))
    assert conv.bias.shape == (1, 5, 5, 4)
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 8)).astype("f4")
    y = conv(x)
    expected = references.conv2d(x, conv.weight.value, stride=2, padding=1) + conv.bias.value
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-5)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype("f4")
    y.backward(dy)
    np.testing.assert_allclose(conv.bias.grad, dy.sum(axis=0, keepdims=True), atol=1e-5)
    _, dw, _ = ops.conv2d_backward(dy, x, conv.weight.value, stride=2, padding=1)
    np.testing.assert_allclose(conv.weight.grad, dw, rtol=1e-4, atol=1e-4)
    assert "shared_bias=False" in repr(conv)


def test_models_with_local_layers_train_in_one_call_as_in_steps():
    def build():
        fastcnn.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, shared_bias=False, input_size=6),
            nn.ReLU(),
            nn.LocallyConnected2d(4, 4, 3, 6, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(144, 3),
        )

    x = np.random.default_rng(0).standard_normal((7, 1, 6, 6)).astype("f4")
    labels = np.arange(7) % 3
    models = build(), build()
    trainer = fastcnn.Trainer(
        models[0], nn.CrossEntropyLoss(), fastcnn.optim.SGD(models[0].parameters(), lr=0.1)
    )
    optimizer = fastcnn.optim.SGD(models[1].parameters(), lr=0.1)
    for _ in range(3):
        trainer.step(x, labels)
        loss = nn.CrossEntropyLoss()(models[1](x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, value in models[0].state_dict().items():
        np.testing.assert_array_equal(value, models[1].state_dict()[name], err_msg=name)


def test_layers_refuse_bad_options_when_made():
    for make, words in [
        (lambda: nn.LocallyConnected2d(3, 8, 3, 0), "input_size is 0"),
        (lambda: nn.LocallyConnected2d(3, 8, 3, 2), "kernel of 3 is larger than the input of 2"),
        (lambda: nn.LocallyConnected2d(3, 8, 3, 8, groups=2), "groups=2"),
        (lambda: nn.LocallyConnected2d(3, 8, 3, 8, stride=0), "stride"),
        (lambda: nn.Conv2d(3, 8, 3, shared_bias=False), "shared_bias=False needs input_size"),
    ]:
        with pytest.raises(ValueError, match=words):
            make()
