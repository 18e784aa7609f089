"""Random numbers: seeds, initialisers, dropout."""

import math

import numpy as np
import pytest

import fastcnn
from fastcnn import nn
from fastcnn.nn import init


def numbers(fill, shape=(200, 300), seed=5):
    fastcnn.manual_seed(seed)
    return fill(nn.Parameter(shape)).numpy()


def test_the_seed_decides():
    first = numbers(init.normal_)
    np.testing.assert_array_equal(numbers(init.normal_), first)
    assert (numbers(init.normal_, seed=6) != first).mean() > 0.99
    fastcnn.manual_seed(5)
    two = [init.normal_(nn.Parameter((200, 300))).numpy() for _ in range(2)]
    np.testing.assert_array_equal(two[0], first)
    assert (two[1] != first).mean() > 0.99


def test_state_can_be_put_back():
    fastcnn.manual_seed(2)
    nn.Linear(3, 3)
    state = fastcnn.random.get_state()
    first = nn.Linear(3, 3).weight.numpy()
    assert fastcnn.random.get_state() != state
    fastcnn.random.set_state(state)
    np.testing.assert_array_equal(nn.Linear(3, 3).weight.numpy(), first)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        fastcnn.manual_seed(seed)


FILLS = {
    "uniform": (lambda p: init.uniform_(p, -1, 3), 1, 4 / math.sqrt(12)),
    "normal": (lambda p: init.normal_(p, 2, 0.5), 2, 0.5),
    "xavier_uniform": (init.xavier_uniform_, 0, math.sqrt(2 / 500)),
    "xavier_normal": (init.xavier_normal_, 0, math.sqrt(2 / 500)),
    "kaiming_uniform": (init.kaiming_uniform_, 0, math.sqrt(2 / 300)),
    "kaiming_normal": (
        lambda p: init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu"),
        0,
        math.sqrt(2 / 200),
    ),
    "torch's default": (lambda p: init.kaiming_uniform_(p, a=math.sqrt(5)), 0, math.sqrt(1 / 900)),
}


@pytest.mark.parametrize("name", FILLS)
def test_initialisers_have_the_mean_and_deviation_they_should(name):
    fill, mean, std = FILLS[name]
    values = numbers(fill).astype("f8")
    np.testing.assert_allclose(values.mean(), mean, atol=4 * std / math.sqrt(values.size))
    np.testing.assert_allclose(values.std(), std, rtol=0.02)


def test_constants_and_refusals():
    assert (numbers(init.ones_) == 1).all() and (numbers(init.zeros_) == 0).all()
    assert (numbers(lambda p: init.constant_(p, -2)) == -2).all()
    with pytest.raises(ValueError, match="nonlinearity"):
        init.kaiming_normal_(nn.Parameter((2, 2)), nonlinearity="gelu")
    with pytest.raises(ValueError, match="mode"):
        init.kaiming_normal_(nn.Parameter((2, 2)), mode="fan")
    with pytest.raises(ValueError, match="rank 2"):
        init.xavier_normal_(nn.Parameter((2,)))


def test_layers_start_within_pytorchs_bounds():
    conv = nn.Conv2d(4, 50, 5)
    bound = 1 / math.sqrt(4 * 25)
    for parameter in (conv.weight, conv.bias):
        assert abs(parameter.value).max() <= bound
        assert abs(parameter.value).max() > 0.9 * bound


def test_dropout_masks_change_from_step_to_step_and_from_layer_to_layer():
    fastcnn.manual_seed(0)
    x = np.ones((1, 4000), "f4")
    model = nn.Sequential(nn.Dropout(0.5))
    first, second = model(x).numpy(), model(x).numpy()
    assert (first != second).mean() > 0.4
    both = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))(x).numpy()
    assert abs((both != 0).mean() - 0.25) < 0.05
    fastcnn.manual_seed(0)
    np.testing.assert_array_equal(model(x), first)
    np.testing.assert_array_equal(model.eval()(x), x)


def test_dropout_can_be_frozen_alone():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 3))
    model[0].eval()
    x = np.ones((2, 3))
    np.testing.assert_array_equal(model(x), model(x))


def test_the_backward_mask_is_the_forward_mask():
    x = fastcnn.Tensor(np.ones((50, 40), "f4"), requires_grad=True)
    y = nn.Dropout(0.3)(x)
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(x.grad, y)
