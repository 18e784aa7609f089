"""Pools of images against NumPy loops, PyTorch and finite differences."""

from functools import partial

import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcnn
from fastcnn import nn, ops

CASES = {
    "2x2": ((2, 3, 8, 6), (2,), {}),
    "overlapping": ((2, 3, 9, 9), (3, 2), {}),
    "padding": ((1, 2, 7, 8), ((3, 2), (2, 1), (1, 1)), {}),
    "ceil": ((2, 2, 8, 9), (3, 2), {"ceil_mode": True}),
    "ceil and padding": ((1, 2, 6, 7), (3, 2, 1), {"ceil_mode": True}),
    "global": ((2, 5, 4, 6), ((4, 6),), {}),
    "gaps": ((1, 2, 9, 9), (2, 3), {}),
}
# What PyTorch doesn't have: where windows begin, and how many there are.
PLACED = {
    "cuda-convnet's gradient check": ((2, 2, 8, 8), (5, 2), {"start": -2, "ceil_mode": True}),
    "starts within": ((1, 3, 9, 8), ((3, 2), 2), {"start": (2, 1), "ceil_mode": True}),
    "starts on both sides": ((1, 2, 9, 8), (3, 2), {"start": (-1, 2)}),
    "as many as pixels": ((1, 2, 6, 5), (5, 1), {"start": -2, "output_size": (6, 5)}),
    "fewer than fit": ((1, 2, 9, 12), (2,), {"output_size": (2, 3)}),
    "more than fit": ((1, 2, 7, 8), (3, 2, 1), {"output_size": 4}),
}


def image(shape, seed=0):
    """No two elements of a window are alike."""
    rng = np.random.default_rng(seed)
    return rng.permutation(np.prod(shape)).reshape(shape).astype("float64") / 10


KINDS = {
    "max": (ops.max_pool2d, ops.max_pool2d_backward, {}),
    "max_abs": (ops.max_abs_pool2d, ops.max_abs_pool2d_backward, {}),
    "mean": (ops.avg_pool2d, ops.avg_pool2d_backward, {"count_include_pad": True}),
    "mean of pixels": (ops.avg_pool2d, ops.avg_pool2d_backward, {"count_include_pad": False}),
    "sum": (ops.sum_pool2d, ops.sum_pool2d_backward, {}),
    "weighted mean": (ops.stochastic_pool2d, ops.stochastic_pool2d_backward, {"training": False}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [*CASES, *PLACED])
def test_pools_and_their_gradients_match_loops_and_differences(case, kind):
    shape, where, options = {**CASES, **PLACED}[case]
    pool, pool_backward, more = KINDS[kind]
    x = image(shape)
    if kind == "max_abs":
        x *= np.random.default_rng(2).choice([-1, 1], shape)
    if kind == "weighted mean":
        x += 0.1  # none is 0, where its gradient is two
    y = pool(x, *where, **options, **more)
    counted = {name: value for name, value in more.items() if name == "count_include_pad"}
    expected = references.pool2d(x, *where, **options, **counted, reduce=kind.split(" ")[0])
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    numerical = references.numerical_gradient(lambda a: pool(a, *where, **options, **more), x, dy)
    np.testing.assert_allclose(pool_backward(dy, x, *where, **options, **more), numerical, atol=1e-7)


@pytest.mark.parametrize("case", PLACED)
def test_layers_place_windows_as_the_functions_do(case):
    shape, where, options = PLACED[case]
    x = image(shape)
    for layer, pool in [
        (nn.MaxPool2d, ops.max_pool2d),
        (nn.MaxAbsPool2d, ops.max_abs_pool2d),
        (nn.AvgPool2d, ops.avg_pool2d),
        (nn.SumPool2d, ops.sum_pool2d),
        (nn.StochasticPool2d, partial(ops.stochastic_pool2d, training=False)),
    ]:
        np.testing.assert_array_equal(layer(*where, **options).eval()(x), pool(x, *where, **options))
    assert "start=-2" in repr(nn.MaxPool2d(3, start=-2))


@pytest.mark.parametrize("start", [-4, -1, 0, 3])
@pytest.mark.parametrize("extent", [11, 12, 13, 14, 24])
def test_output_size_from_start_is_cuda_convnets(extent, start):
    x = np.zeros((1, 1, extent, extent), "f4")
    for size, stride in [(5, 1), (5, 2), (5, 3), (5, 5), (6, 4)]:
        outputs = int(np.ceil((extent - start - size) / stride)) + 1
        y = ops.max_pool2d(x, size, stride, start=start, ceil_mode=True)
        assert y.shape == (1, 1, outputs, outputs)


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("case", CASES)
def test_pools_and_gradients_match_torch_in_float32(case, kind):
    torch = pytest.importorskip("torch")
    shape, where, options = CASES[case]
    x = image(shape).astype("float32")
    tensor = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, kind)(tensor, *where, **options)
    dy = np.random.default_rng(1).standard_normal(tuple(expected.shape)).astype("float32")
    expected.backward(torch.tensor(dy))
    y = getattr(ops, kind)(x, *where, **options)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-5)
    dx = getattr(ops, kind + "_backward")(dy, x, *where, **options)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-5, atol=1e-5)


@st.composite
def problems(draw):
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    extents = [max(1, k - 2 * p) + draw(st.integers(0, 8)) for k, p in zip(kernel, padding, strict=True)]
    stride = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 20)), *extents)
    return shape, (kernel, stride, padding), draw(st.booleans())


@settings(max_examples=60, deadline=None)
@given(problem=problems(), seed=st.integers(0, 1000))
def test_pools_hold_for_any_shape(problem, seed):
    shape, where, ceil_mode = problem
    x = image(shape, seed)
    y = ops.max_pool2d(x, *where, ceil_mode=ceil_mode)
    np.testing.assert_array_equal(y, references.pool2d(x, *where, ceil_mode=ceil_mode))
    # Each dy goes to one element.
    dy = np.random.default_rng(seed).standard_normal(y.shape)
    dx = ops.max_pool2d_backward(dy, x, *where, ceil_mode=ceil_mode)
    np.testing.assert_allclose([dx.sum(), (dx * x).sum()], [dy.sum(), (dy * y).sum()], atol=1e-8)
    mean = ops.avg_pool2d(x, *where, ceil_mode=ceil_mode)
    np.testing.assert_allclose(
        mean, references.pool2d(x, *where, ceil_mode=ceil_mode, reduce="mean"), rtol=1e-11
    )


@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
def test_pools_of_an_empty_batch_are_empty(pool):
    assert pool(np.zeros((0, 3, 4, 4), "f4"), 2).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
def test_pools_refuse_what_has_no_output(pool):
    with pytest.raises(ValueError, match=r"7|window|kernel"):
        pool(np.zeros((1, 1, 4, 4)), 7)
    with pytest.raises(ValueError, match="kernel"):
        pool(np.zeros((1, 1, 4, 4)), 0)
    with pytest.raises(ValueError, match="start 1 and pad 1 are both given"):
        pool(np.zeros((1, 1, 4, 4)), 3, padding=1, start=1)
    with pytest.raises(ValueError, match="start -3 leaves the first window"):
        pool(np.zeros((1, 1, 4, 4)), 3, start=-3)
    with pytest.raises(ValueError, match="the last of 5 windows begins at 4, beyond the input of 4"):
        pool(np.zeros((1, 1, 4, 4)), 3, 1, output_size=5)


@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize("output_size", [1, (1, 1), (2, 3), (4, 6), (2, 1), (3, 4), (3, 5), (7, 9)])
def test_adaptive_pools_match_torch_and_their_gradients(output_size, kind):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(3).standard_normal((2, 5, 4, 6))
    theirs = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn, f"Adaptive{kind}Pool2d")(output_size)(theirs)
    pool = getattr(nn, f"Adaptive{kind}Pool2d")(output_size)
    ours = fastcnn.Tensor(x, requires_grad=True)
    y = nn.Sequential(pool, nn.Affine(3.0))(ours)
    dy = np.random.default_rng(4).standard_normal(y.shape)
    y.backward(dy)
    expected.backward(torch.tensor(3 * dy))
    np.testing.assert_allclose(y.numpy(), 3 * expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["adaptive_avg_pool2d", "adaptive_max_pool2d"])
def test_adaptive_pools_as_functions_match_torch(kind):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(5).standard_normal((2, 21, 9, 7))
    theirs = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, kind)(theirs, (4, 5))
    dy = np.random.default_rng(6).standard_normal(expected.shape)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(getattr(ops, kind)(x, (4, 5)), expected.detach().numpy(), rtol=1e-12)
    dx = getattr(ops, kind + "_backward")(dy, x, (4, 5))
    np.testing.assert_allclose(dx, theirs.grad.numpy(), rtol=1e-12)


def test_adaptive_average_refuses_what_has_no_output():
    with pytest.raises(ValueError, match="output_size is 0"):
        nn.AdaptiveAvgPool2d(0)
    with pytest.raises(ValueError, match="rank 2, expected 4"):
        nn.AdaptiveAvgPool2d(3)(np.ones((4, 6)))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, stride=2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(3)])
def test_pools_take_in_the_activation_behind_them(pool, activation):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(7).standard_normal((2, 5, 8, 10))
    ours = fastcnn.Tensor(x, requires_grad=True)
    y = nn.Sequential(pool, activation())(ours)
    dy = np.random.default_rng(8).standard_normal(y.shape)
    y.backward(dy)
    theirs = torch.tensor(x, requires_grad=True)
    their_pool = {
        nn.MaxPool2d: lambda v: torch.nn.functional.max_pool2d(v, 3, 2),
        nn.AvgPool2d: lambda v: torch.nn.functional.avg_pool2d(v, 2),
        nn.AdaptiveAvgPool2d: lambda v: torch.nn.functional.adaptive_avg_pool2d(v, 3),
    }[type(pool)]
    their_activation = {nn.ReLU: torch.relu, nn.Tanh: torch.tanh, nn.Sigmoid: torch.sigmoid}[activation]
    expected = their_activation(their_pool(theirs))
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-11, atol=1e-14)


def test_one_step_of_a_plan_pools_and_activates():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.ReLU())
    steps = [step.name for step in model.profile(np.ones((1, 3, 8, 8), "f4")).steps]
    assert any("1 + 2" in name for name in steps), steps
