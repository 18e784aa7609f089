"""Pools across channels against NumPy loops, PyTorch's maximum over groups and finite differences."""

import numpy as np
import pytest
import references

import fastcnn
from fastcnn import nn, ops

CASES = {
    "maxout": ((2, 12, 3, 2), (3,), {}),
    "maxout of a matrix": ((4, 10), (2,), {}),
    "overlapping": ((2, 11, 2, 2), (4, 2), {}),
    "cmpool": ((2, 10, 2, 3), (4, 2), {"start": -2, "output_size": 6}),
    "cmpool around each channel": ((1, 7, 2, 2), (3, 1), {"start": -1, "output_size": 7}),
    "rounded up": ((2, 9, 2, 1), (4,), {"ceil_mode": True}),
    "starts within": ((2, 9, 1, 2), (3, 2), {"start": 2}),
}


def loops(x, reduce, size, stride=None, start=0, output_size=None, ceil_mode=False):
    stride = size if stride is None else stride
    if output_size is None:
        span = x.shape[1] - start - size
        output_size = (-(-span // stride) if ceil_mode else span // stride) + 1
    firsts = [start + o * stride for o in range(output_size)]
    return np.stack([reduce(x[:, max(f, 0) : f + size], axis=1) for f in firsts], axis=1)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("case", CASES)
def test_pools_and_their_gradients_match_loops_and_differences(case, kind):
    shape, where, options = CASES[case]
    x = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) / 10
    pool = getattr(ops, kind + "_pool_channels")
    y = pool(x, *where, **options)
    np.testing.assert_allclose(
        y, loops(x, {"max": np.max, "avg": np.mean}[kind], *where, **options), rtol=1e-14
    )
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx = getattr(ops, kind + "_pool_channels_backward")(dy, x, *where, **options)
    numerical = references.numerical_gradient(lambda a: pool(a, *where, **options), x, dy)
    np.testing.assert_allclose(dx, numerical, atol=1e-7)
    layer = {"max": nn.MaxPoolChannels, "avg": nn.AvgPoolChannels}[kind](*where, **options)
    np.testing.assert_array_equal(layer(x), y)


def test_maxout_matches_torch_and_trains():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(2).standard_normal((3, 96, 5, 7)).astype("f4")
    dy = np.random.default_rng(3).standard_normal((3, 48, 5, 7)).astype("f4")
    ours, theirs = fastcnn.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = nn.MaxPoolChannels(2)(ours)
    expected = theirs.reshape(3, 48, 2, 5, 7).amax(dim=2)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    np.testing.assert_array_equal(ours.grad, theirs.grad.numpy())


def test_refusals():
    with pytest.raises(ValueError, match="size is 0, expected 1 to 65536"):
        nn.MaxPoolChannels(0)
    with pytest.raises(ValueError, match="start is -2, expected -1"):
        nn.AvgPoolChannels(2, start=-2)
    with pytest.raises(ValueError, match="kernel of 5 is larger than the input of 4 along the channels"):
        ops.max_pool_channels(np.zeros((1, 4)), 5)
    with pytest.raises(ValueError, match="rank 3, expected 4"):
        ops.max_pool_channels(np.zeros((1, 4, 4)), 2)
