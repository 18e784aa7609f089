"""What stochastic pooling draws, and how often; the mean in its place is tested with the other pools."""

from itertools import product

import numpy as np
import pytest
from test_ops_dense import check_gradient
from test_ops_pool2d import CASES, PLACED

import fastcnn
from fastcnn import nn, ops


def positive(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 1, shape)


def test_elements_are_drawn_by_their_probabilities():
    x = np.broadcast_to(np.array([[1.0, 2.0], [-3.0, 5.0]]), (50, 1000, 2, 2))
    y = ops.stochastic_pool2d(x, 2, seed=3)
    for value, probability in [(1, 1 / 8), (2, 2 / 8), (-3, 0), (5, 5 / 8)]:
        assert abs((y == value).mean() - probability) < 0.01
    np.testing.assert_allclose(y.mean(), ops.stochastic_pool2d(x[:1, :1], 2, training=False)[0, 0], rtol=0.01)


@pytest.mark.parametrize("case", [*CASES, *PLACED])
def test_gradients_go_to_what_was_drawn(case):
    shape, where, options = {**CASES, **PLACED}[case]
    drawing = {**options, "seed": 1, "step": 2, "stream": 3}
    check_gradient(
        lambda a: ops.stochastic_pool2d(a, *where, **drawing),
        lambda dy, a: ops.stochastic_pool2d_backward(dy, a, *where, **drawing),
        positive(shape),
    )


def test_each_window_hands_on_one_of_its_elements():
    x = positive((2, 5, 7, 8))
    windows, drawing = {"kernel_size": 3, "stride": 2, "ceil_mode": True}, {"seed": 4, "stream": 1}
    y = ops.stochastic_pool2d(x, **windows, **drawing)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    expected = np.zeros_like(x)
    for n, c, i, j in product(*map(range, y.shape)):
        window = np.s_[n, c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        drawn = x[window] == y[n, c, i, j]
        assert drawn.sum() == 1
        expected[window][drawn] += dy[n, c, i, j]
    dx = ops.stochastic_pool2d_backward(dy, x, **windows, **drawing)
    np.testing.assert_allclose(dx, expected, atol=1e-14)


def test_negative_elements_are_never_drawn_and_nothing_positive_gives_0():
    x = np.array([[[[-3.0, 1.0], [-1.0, -2.0]]], [[[-3.0, 0.0], [-1.0, -2.0]]]])
    for training in (True, False):
        np.testing.assert_array_equal(ops.stochastic_pool2d(x, 2, training=training).ravel(), [1, 0])
        dx = ops.stochastic_pool2d_backward(np.ones((2, 1, 1, 1)), x, 2, training=training)
        np.testing.assert_array_equal(dx, x == 1)


def test_layers_draw_anew_each_step_and_give_the_mean_in_eval():
    x = positive((2, 20, 8, 8)).astype("f4")
    model = nn.Sequential(nn.StochasticPool2d(2))
    fastcnn.manual_seed(0)
    first, second = model(x).numpy(), model(x).numpy()
    assert (first != second).mean() > 0.5
    fastcnn.manual_seed(0)
    np.testing.assert_array_equal(model(x), first)
    np.testing.assert_array_equal(model.eval()(x), ops.stochastic_pool2d(x, 2, training=False))


def test_a_layer_can_be_frozen_alone():
    model = nn.Sequential(nn.StochasticPool2d(2), nn.StochasticPool2d(2))
    x = fastcnn.Tensor(positive((2, 20, 8, 8)).astype("f4"), requires_grad=True)
    model[0].eval()
    y = model(x)
    means = ops.stochastic_pool2d(x.numpy(), 2, training=False)
    assert np.isin(y.numpy(), means).all()
    y.backward(np.ones(y.shape, "f4"))
    assert ((x.grad != 0).sum(axis=(2, 3)) == 4 * 4).all()


def test_two_layers_of_a_model_draw_differently():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.StochasticPool2d(2), nn.StochasticPool2d(2)

        def forward(self, x):
            return self.a(x), self.b(x)

    a, b = Both()(positive((1, 200, 4, 4)).astype("f4"))
    assert (a.numpy() != b.numpy()).mean() > 0.5
