"""Clipping of gradients, against PyTorch."""

import numpy as np
import pytest

from fastcnn import nn, optim
from fastcnn.nn import Parameter


def parameters(rng):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(36, 2))
    x = rng.standard_normal((2, 3, 5, 5), dtype=np.float32)
    nn.CrossEntropyLoss()(model(x), np.array([0, 1])).backward()
    return list(model.parameters())


def test_norm_and_clipping_are_pytorchs():
    torch = pytest.importorskip("torch")
    for max_norm in (0.05, 1e3):
        own = parameters(np.random.default_rng(0))
        theirs = [torch.nn.Parameter(torch.from_numpy(p.numpy())) for p in own]
        for p, t in zip(own, theirs, strict=True):
            t.grad = torch.from_numpy(np.array(p.grad, order="C"))
        expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        assert optim.clip_grad_norm_(own, max_norm) == pytest.approx(float(expected), rel=1e-5)
        for p, t in zip(own, theirs, strict=True):
            np.testing.assert_allclose(p.grad, t.grad.numpy(), rtol=1e-5)


def test_elements_are_brought_into_the_range():
    own = parameters(np.random.default_rng(0))
    before = [np.array(p.grad) for p in own]
    optim.clip_grad_value_(own, 0.01)
    for p, gradient in zip(own, before, strict=True):
        np.testing.assert_array_equal(p.grad, np.clip(gradient, -0.01, 0.01))
    assert max(np.abs(p.grad).max() for p in own) == np.float32(0.01)


def test_parameters_without_a_gradient_count_for_nothing():
    parameter = Parameter((3,))
    assert optim.grad_norm([parameter]) == 0 == optim.clip_grad_norm_([parameter], 1.0)
    optim.clip_grad_value_([parameter], 1.0)
    assert parameter.grad is None


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_bounds_are_checked(bound):
    with pytest.raises(ValueError, match="expected above 0"):
        optim.clip_grad_norm_([], bound)
    with pytest.raises(ValueError, match="expected above 0"):
        optim.clip_grad_value_([], bound)
