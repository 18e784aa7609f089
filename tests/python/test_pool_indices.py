"""The places of the largest elements of max pooling, from all their doors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastcnn
from fastcnn import _core, nn, ops
from fastcnn.nn import functional as F

RNG = np.random.default_rng(8)

small = st.integers(1, 4)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 19), st.integers(1, 13), st.integers(1, 13)),
    kernel=st.tuples(small, small),
    stride=st.tuples(small, small),
    ceil_mode=st.booleans(),
    padded=st.booleans(),
)
def test_each_index_is_the_place_of_its_element(shape, kernel, stride, ceil_mode, padded):
    padding = tuple(k // 2 for k in kernel) if padded else (0, 0)
    assume(all(e + 2 * p >= k for e, p, k in zip(shape[2:], padding, kernel, strict=True)))
    x = RNG.standard_normal(shape).astype("f4")
    options = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    y, indices = ops.max_pool2d(x, kernel, **options, return_indices=True)
    np.testing.assert_array_equal(y, ops.max_pool2d(x, kernel, **options))
    assert indices.dtype == np.int64 and indices.shape == y.shape
    n, c, h, w = shape
    places = indices.reshape(n, c, y.shape[2] * y.shape[3])
    found = np.take_along_axis(x.reshape(n, c, h * w), places, 2)
    np.testing.assert_array_equal(found.reshape(y.shape), y)


@pytest.mark.parametrize("kernel", [3, 17])  # numbers of taps in one byte, and in four
def test_indices_and_gradients_are_those_of_torch(kernel):
    torch = pytest.importorskip("torch")
    x = RNG.standard_normal((2, 5, 37, 41)).astype("f4")
    x[0, 0] = 1.0  # the first of equals
    theirs = torch.tensor(x, requires_grad=True)
    expected, places = torch.nn.functional.max_pool2d(theirs, kernel, 2, 1, return_indices=True)
    expected.sum().backward()
    for training in (True, False):
        ours = fastcnn.Tensor(x, requires_grad=training)
        y, indices = nn.MaxPool2d(kernel, 2, 1, return_indices=True).train(training)(ours)
        np.testing.assert_array_equal(y, expected.detach())
        np.testing.assert_array_equal(indices, places)
    ours = fastcnn.Tensor(x, requires_grad=True)
    y, _ = F.max_pool2d(ours, kernel, 2, 1, return_indices=True)
    y.backward(np.ones(y.shape, "f4"))
    np.testing.assert_array_equal(ours.grad, theirs.grad)


class PoolsWithIndices(nn.Module):
    """Of which one output's indices are read and another's are not."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 6, 3), nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        y, _ = self.pool(self.conv(x))
        y, indices = self.pool(F.relu(y))
        return F.flatten(y), indices


def test_a_model_of_them_trains_and_returns_them_at_any_number_of_threads():
    x, labels = RNG.standard_normal((5, 1, 22, 22)).astype("f4"), np.arange(5)
    before, results = _core.num_threads()[0], []
    try:
        for threads in (1, 2, 3, 8):
            _core.set_num_threads(threads)
            fastcnn.manual_seed(1)
            model = PoolsWithIndices()
            criterion = nn.TotalLoss([nn.CrossEntropyLoss()])
            trainer = fastcnn.Trainer(model, criterion, fastcnn.optim.SGD(model.parameters(), lr=0.1))
            for _ in range(3):
                trainer.step(x, labels)
            y, indices = model.eval()(x)
            results.append((np.asarray(y).tobytes(), np.asarray(indices).tobytes()))
            assert np.asarray(indices).shape == (5, 6, 5, 5) and np.asarray(indices).max() < 100
    finally:
        _core.set_num_threads(before)
    assert len(set(results)) == 1
