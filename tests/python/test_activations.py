"""Functions by element, learned slopes and noise, against NumPy, PyTorch and finite differences."""

import math

import numpy as np
import pytest
from test_ops_dense import check_gradient

import fastcnn
from fastcnn import ShapeError, nn, ops

X = np.random.default_rng(2).standard_normal((2, 3, 4, 5)) * 3 + 0.01
POSITIVE = np.abs(X) + 0.05

normal_below = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))

# name: (arguments, formula, module)
ACTIVATIONS = {
    "leaky_relu": ((0.2,), lambda x: np.where(x > 0, x, 0.2 * x), nn.LeakyReLU(0.2)),
    "bounded_relu": ((1.5,), lambda x: np.clip(x, 0, 1.5), nn.BoundedReLU(1.5)),
    "double_relu": ((0.7,), lambda x: x - 0.7 * np.tanh(x / 0.7), nn.DoubleReLU(0.7)),
    "softplus": ((2.5,), lambda x: np.logaddexp(0, 2.5 * x) / 2.5, nn.Softplus(2.5)),
    "elu": ((0.3,), lambda x: np.where(x > 0, x, 0.3 * np.expm1(x)), nn.ELU(0.3)),
    "gelu": ((), lambda x: x * normal_below(x), nn.GELU()),
    "silu": ((), lambda x: x / (1 + np.exp(-x)), nn.SiLU()),
    "mish": ((), lambda x: x * np.tanh(np.log1p(np.exp(x))), nn.Mish()),
    "hardsigmoid": ((), lambda x: np.clip(x / 6 + 0.5, 0, 1), nn.Hardsigmoid()),
    "hardswish": ((), lambda x: x * np.clip(x / 6 + 0.5, 0, 1), nn.Hardswish()),
    "absolute": ((), np.abs, nn.Abs()),
    "abs_tanh": ((1.7, -0.6), lambda x: 1.7 * np.abs(np.tanh(-0.6 * x)), nn.AbsTanh(1.7, -0.6)),
    "sqrt": ((), np.sqrt, nn.Sqrt()),
    "log": ((0.5,), lambda x: np.log(x + 0.5), nn.Log(0.5)),
}


def argument(name):
    return POSITIVE if name in ("sqrt", "log") else X


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_match_their_formulas(name):
    arguments, formula, module = ACTIVATIONS[name]
    x = argument(name)
    forward, backward = getattr(ops, name), getattr(ops, name + "_backward")
    np.testing.assert_allclose(forward(x, *arguments), formula(x), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(forward(x.astype("f4"), *arguments), formula(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(module(x.astype("f4")), forward(x.astype("f4"), *arguments))
    check_gradient(lambda a: forward(a, *arguments), lambda dy, a: backward(dy, a, *arguments), x)


TORCH = {
    "LeakyReLU": (0.2,),
    "ELU": (0.3,),
    "GELU": (),
    "SiLU": (),
    "Mish": (),
    "Softplus": (1.5,),
    "Hardsigmoid": (),
    "Hardswish": (),
    "PReLU": (3,),
}


@pytest.mark.parametrize("name", [*TORCH, "GELU tanh"])
def test_activations_and_their_gradients_match_torch(name):
    torch = pytest.importorskip("torch")
    options = {"approximate": "tanh"} if name == "GELU tanh" else {}
    arguments = TORCH.get(name, ())
    name = name.split()[0]
    x = X.astype("f4")
    x.ravel()[:6] = [-3, 3, 0, 20, -20, 100]
    theirs = getattr(torch.nn, name)(*arguments, **options)
    x_torch = torch.tensor(x, requires_grad=True)
    expected = theirs(x_torch)
    expected.backward(torch.ones_like(expected))
    x_ours = fastcnn.Tensor(x, requires_grad=True)
    ours = getattr(nn, name)(*arguments, **options)
    y = ours(x_ours)
    y.backward(np.ones_like(x))
    np.testing.assert_allclose(y, expected.detach(), rtol=2e-5, atol=1e-6)
    kinks = np.isin(x, [-3, 0, 3])  # where conventions differ
    np.testing.assert_allclose(x_ours.grad[~kinks], x_torch.grad.numpy()[~kinks], rtol=2e-5, atol=1e-6)
    if name == "PReLU":
        np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-5)


@pytest.mark.parametrize("slopes", [1, 3])
def test_prelu_and_its_gradients(slopes):
    w = np.linspace(-0.5, 0.5, slopes)
    expected = np.where(X > 0, X, w[:, None, None] * X)
    np.testing.assert_allclose(ops.prelu(X, w), expected, rtol=1e-12)
    check_gradient(ops.prelu, ops.prelu_backward, X, w)
    rows = X[:, :, 0, 0]
    np.testing.assert_allclose(ops.prelu(rows, w), np.where(rows > 0, rows, w * rows), rtol=1e-12)


def test_prelu_learns_its_slope():
    model = nn.PReLU()
    assert model.weight.value == np.float32(0.25)
    optimizer = fastcnn.optim.SGD(model.parameters(), lr=0.5)
    x = np.array([[-1.0], [2.0]], "f4")
    for _ in range(40):
        loss = nn.MSELoss()(model(x), np.array([[0.5], [2.0]], "f4"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(model.weight.value, -0.5, atol=1e-5)
    with pytest.raises(ShapeError, match="4 slopes, expected 1 or 3"):
        nn.PReLU(4)(X)


def test_noisy_relu_is_relu_when_evaluated():
    model = nn.NoisyReLU()
    x = X.astype("f4")
    fastcnn.manual_seed(3)
    noisy = model(x).numpy()
    assert (noisy >= 0).all() and (noisy != np.maximum(x, 0)).any()
    fastcnn.manual_seed(3)
    np.testing.assert_array_equal(model(x), noisy)
    np.testing.assert_array_equal(model.eval()(x), np.maximum(x, 0))
    np.testing.assert_array_equal(ops.noisy_relu(x, training=False), np.maximum(x, 0))


def test_noisy_relu_has_the_noise_of_the_paper():
    x = np.full(100_000, 5.0)
    noise = ops.noisy_relu(x, seed=1) - x
    assert abs(noise.mean()) < 0.02
    assert abs(noise.var() * (1 + np.exp(-5)) - 1) < 0.02
    check_gradient(
        lambda a: ops.noisy_relu(a, seed=1, stream=2),
        lambda dy, a: ops.noisy_relu_backward(dy, a, seed=1, stream=2),
        X,
    )


def test_two_noisy_layers_of_a_model_draw_different_noise():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.NoisyReLU(), nn.NoisyReLU()

        def forward(self, x):
            return nn.functional.concat([self.a(x), self.b(x)])

    y = Two()(np.full((2, 50), 4.0, "f4")).numpy()
    assert (y[:, :50] != y[:, 50:]).all()


def test_dropout_can_scale_at_inference():
    x = np.ones((100, 100), "f4")
    inverted = ops.dropout(x, 0.25, seed=3)
    y = ops.dropout(x, 0.25, seed=3, scaling="inference")
    np.testing.assert_array_equal(y, (inverted > 0).astype("f4"))
    np.testing.assert_array_equal(ops.dropout_backward(x, x, 0.25, seed=3, scaling="inference"), y)
    model = nn.Dropout(0.25, "inference")
    assert set(np.unique(model(x))) == {0, 1}
    np.testing.assert_array_equal(model.eval()(x), 0.75 * x)
    np.testing.assert_array_equal(ops.dropout(x, 0.25, scaling="inference", training=False), 0.75 * x)
    with pytest.raises(ValueError, match="scaling"):
        nn.Dropout(0.5, "test")


def test_activations_behind_a_convolution_compute_the_same_as_alone():
    x = np.random.default_rng(4).standard_normal((2, 3, 9, 8)).astype("f4")
    for module in (*(m for _, _, m in ACTIVATIONS.values()), nn.PReLU(5)):
        model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Abs(), module)
        norm = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), module)
        direct = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), module)
        for net in (model, norm, direct):
            for mode in (net.eval(), net.train()):
                hidden = mode[:-1](x).numpy()
                np.testing.assert_allclose(mode(x), module(hidden), rtol=1e-4, atol=1e-5, equal_nan=True)


def test_options_out_of_range_are_refused():
    for make, words in [
        (lambda: nn.BoundedReLU(0), "a of bounded_relu must be above 0"),
        (lambda: nn.DoubleReLU(0), "other than 0"),
        (lambda: nn.Softplus(-1), "above 0"),
        (lambda: nn.ELU(-1), "at least 0"),
        (lambda: nn.LeakyReLU(float("nan")), "finite"),
        (lambda: nn.GELU("erf"), "approximate is 'erf'"),
        (lambda: nn.PReLU(0), "num_parameters"),
    ]:
        with pytest.raises(ValueError, match=words):
            make()
