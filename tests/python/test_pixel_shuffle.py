"""Channels to pixels and back, and parts of an axis, from all their doors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcnn
from fastcnn import nn, ops
from fastcnn.nn import functional as F

RNG = np.random.default_rng(3)


def depth_to_space(x, r, order):
    """ONNX's definition, pixel by pixel."""
    n, c, h, w = x.shape
    y = np.empty((n, c // r**2, h * r, w * r), x.dtype)
    for k in range(c // r**2):
        for i in range(r):
            for j in range(r):
                channel = k * r * r + i * r + j if order == "crd" else (i * r + j) * (c // r**2) + k
                y[:, k, i::r, j::r] = x[:, channel]
    return y


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(*(st.integers(low, 5) for low in (0, 1, 1, 1))),
    r=st.integers(1, 4),
    order=st.sampled_from(["crd", "dcr"]),
)
def test_pixels_come_from_their_channels_and_go_back(shape, r, order):
    n, c, h, w = shape
    x = RNG.standard_normal((n, c * r * r, h, w)).astype("f4")
    expected = depth_to_space(x, r, order)
    for y in (ops.pixel_shuffle(x, r, order), F.pixel_shuffle(x, r, order), nn.PixelShuffle(r, order)(x)):
        np.testing.assert_array_equal(y, expected)
    for back in (F.pixel_unshuffle(expected, r, order), nn.PixelUnshuffle(r, order)(expected)):
        np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(ops.pixel_unshuffle(expected, r, order), x)


def test_pixels_are_those_of_torch():
    torch = pytest.importorskip("torch")
    x = RNG.standard_normal((2, 18, 5, 7)).astype("f4")
    y = torch.nn.functional.pixel_shuffle(torch.tensor(x), 3)
    np.testing.assert_array_equal(nn.PixelShuffle(3)(x), y)
    np.testing.assert_array_equal(nn.PixelUnshuffle(3)(y), torch.nn.functional.pixel_unshuffle(y, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.PixelShuffle(0), ValueError, "factor is 0, expected at least 1"),
        (lambda: nn.PixelShuffle(2, "rdc"), ValueError, 'unknown order "rdc", expected crd or dcr'),
        (lambda: F.pixel_shuffle(np.ones((1, 6, 2, 2)), 2), fastcnn.ShapeError, "6"),
        (lambda: F.pixel_unshuffle(np.ones((1, 1, 4, 3)), 2), fastcnn.ShapeError, "3"),
        (lambda: F.pixel_shuffle(np.ones((4, 4)), 2), fastcnn.ShapeError, "pixel_shuffle"),
    ],
)
def test_what_does_not_divide_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


class Superresolution(nn.Module):
    """Two branches of one split, one of them to pixels and back."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 9, 3, padding=1)
        self.shuffle, self.unshuffle = nn.PixelShuffle(2), nn.PixelUnshuffle(2)

    def forward(self, x):
        a, b, _ = F.split(self.conv(x), [4, 4, 1])
        return self.unshuffle(F.relu(self.shuffle(a))) + b


def test_a_model_of_them_learns_alike_at_once_and_by_the_loop():
    x = RNG.standard_normal((4, 1, 5, 6)).astype("f4")
    y = RNG.standard_normal((4, 4, 5, 6)).astype("f4")
    losses = []
    for by_loop in (False, True):
        fastcnn.manual_seed(1)
        model = Superresolution()
        optimizer = fastcnn.optim.SGD(model.parameters(), lr=0.1)
        trainer = fastcnn.Trainer(model, nn.MSELoss(), optimizer)
        for _ in range(5):
            if by_loop:
                optimizer.zero_grad()
                loss = nn.MSELoss()(model(x), y)
                loss.backward()
                optimizer.step()
            else:
                loss = trainer.step(x, y).loss
        losses.append(([p.numpy().tobytes() for p in model.parameters()], float(loss)))
    assert losses[0] == losses[1]


def test_an_axis_is_split_into_any_number_of_parts():
    x = RNG.standard_normal((2, 70, 3, 2))
    for parts in (ops.split(x, 1), F.split(x, 1)):
        assert len(parts) == 70
        np.testing.assert_array_equal(np.concatenate([np.asarray(part) for part in parts], 1), x)
    for axis in range(4):
        sizes = [1, x.shape[axis] - 1]
        first, second = ops.split(x, sizes, axis=axis)
        np.testing.assert_array_equal(np.concatenate([first, second], axis), x)
    with pytest.raises(ValueError, match=r"dy has 1 parts, expected 2"):
        ops.split_backward([x], x, 35)


def test_one_part_alone_has_a_gradient():
    x = fastcnn.Tensor(RNG.standard_normal((2, 5)), requires_grad=True)
    _, second = F.split(x, [2, 3])
    second.backward(np.ones((2, 3)))
    np.testing.assert_array_equal(x.grad, [[0, 0, 1, 1, 1]] * 2)
