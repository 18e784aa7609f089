"""ops.conv2d against NumPy loops, PyTorch and finite differences."""

import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn import ShapeError, ops

CASES = {
    "plain": ((2, 3, 8, 9), (4, 3, 3, 3), {}),
    "stride": ((2, 3, 11, 9), (4, 3, 3, 3), {"stride": (3, 2)}),
    "padding": ((1, 2, 6, 5), (4, 2, 3, 5), {"padding": (1, 2)}),
    "dilation": ((1, 2, 11, 12), (2, 2, 3, 2), {"dilation": (2, 3)}),
    "groups": ((2, 4, 7, 7), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 4, 7, 7), (4, 1, 3, 3), {"groups": 4, "stride": 2}),
    "pointwise": ((3, 8, 5, 4), (7, 8, 1, 1), {}),
    "whole image": ((2, 3, 5, 6), (4, 3, 5, 6), {}),
    "all at once": ((2, 6, 13, 12), (4, 3, 3, 4), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def arrays(shape, w_shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal(shape), rng.standard_normal(w_shape)
    return x.astype(dtype), w.astype(dtype), rng.standard_normal(w_shape[0]).astype(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_conv2d_matches_loops(case, dtype):
    x_shape, w_shape, options = CASES[case]
    x, w, b = arrays(x_shape, w_shape, dtype)
    y = ops.conv2d(x, w, b, **options)
    assert y.dtype == dtype
    expected = references.conv2d(*(a.astype("float64") for a in (x, w, b)), **options)
    np.testing.assert_allclose(y, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 10)


@pytest.mark.parametrize("case", CASES)
def test_conv2d_gradients_match_finite_differences(case):
    x_shape, w_shape, options = CASES[case]
    x, w, b = arrays(x_shape, w_shape)
    y = ops.conv2d(x, w, b, **options)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx, dw, db = ops.conv2d_backward(dy, x, w, b, **options)
    numerical = references.numerical_gradient
    np.testing.assert_allclose(dx, numerical(lambda a: ops.conv2d(a, w, b, **options), x, dy), atol=1e-6)
    np.testing.assert_allclose(dw, numerical(lambda a: ops.conv2d(x, a, b, **options), w, dy), atol=1e-6)
    np.testing.assert_allclose(db, numerical(lambda a: ops.conv2d(x, w, a, **options), b, dy), atol=1e-6)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_conv2d_and_its_gradients_match_torch(case, dtype):
    torch = pytest.importorskip("torch")
    x_shape, w_shape, options = CASES[case]
    given_arrays = arrays(x_shape, w_shape, dtype)
    tensors = [torch.tensor(a, requires_grad=True) for a in given_arrays]
    expected = torch.nn.functional.conv2d(*tensors, **options)
    dy = np.random.default_rng(1).standard_normal(tuple(expected.shape)).astype(dtype)
    expected.backward(torch.tensor(dy))
    y = ops.conv2d(*given_arrays, **options)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-4, atol=1e-4)
    gradients = ops.conv2d_backward(dy, *given_arrays, **options)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-4, atol=1e-4)


@st.composite
def problems(draw):
    groups = draw(st.integers(1, 3))
    options = {
        "stride": (draw(st.integers(1, 4)), draw(st.integers(1, 4))),
        "padding": (draw(st.integers(0, 3)), draw(st.integers(0, 3))),
        "dilation": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "groups": groups,
    }
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    image = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 7))
        for k, d, p in zip(kernel, options["dilation"], options["padding"], strict=True)
    ]
    c_in, c_out = draw(st.integers(1, 4)), groups * draw(st.integers(1, 4))
    return (draw(st.integers(1, 3)), groups * c_in, *image), (c_out, c_in, *kernel), options


@settings(max_examples=60, deadline=None)
@given(problem=problems(), seed=st.integers(0, 1000))
def test_conv2d_and_gradients_hold_for_any_shape(problem, seed):
    x_shape, w_shape, options = problem
    x, w, b = arrays(x_shape, w_shape, "float64", seed)
    y = ops.conv2d(x, w, b, **options)
    np.testing.assert_allclose(y, references.conv2d(x, w, b, **options), atol=1e-11)
    np.testing.assert_allclose(
        ops.conv2d(x.astype("f4"), w.astype("f4"), b.astype("f4"), **options), y, atol=2e-4
    )
    # y is linear in x and in w, so <dy, y(x, w)> = <dx, x> = <dw, w>.
    dy = np.random.default_rng(seed + 1).standard_normal(y.shape)
    dx, dw, db = ops.conv2d_backward(dy, x, w, b, **options)
    product = np.sum(dy * (y - b[:, None, None]))
    np.testing.assert_allclose([np.sum(dx * x), np.sum(dw * w)], [product, product], atol=1e-9)
    np.testing.assert_allclose(db, dy.sum(axis=(0, 2, 3)), atol=1e-11)


def test_conv2d_without_bias_has_no_bias_gradient():
    x, w, _ = arrays((1, 2, 5, 5), (3, 2, 3, 3))
    dx, dw, db = ops.conv2d_backward(np.ones((1, 3, 3, 3)), x, w)
    assert dx.shape == x.shape and dw.shape == w.shape and db is None


def test_conv2d_of_an_empty_batch_is_empty_and_its_weight_gradient_zero():
    x, w, b = arrays((0, 2, 5, 5), (3, 2, 3, 3))
    assert ops.conv2d(x, w, b).shape == (0, 3, 3, 3)
    dx, dw, db = ops.conv2d_backward(np.zeros((0, 3, 3, 3)), x, w, b)
    assert dx.shape == x.shape and not dw.any() and not db.any()


def test_conv2d_names_what_came_and_what_was_expected():
    x, w, _ = arrays((2, 4, 9, 9), (8, 3, 3, 3))
    with pytest.raises(ShapeError, match=r"4 channels, expected 3"):
        ops.conv2d(x, w)
    with pytest.raises(ValueError, match="stride"):
        ops.conv2d(x, w, stride=0)
    with pytest.raises(ValueError, match="dy has shape"):
        ops.conv2d_backward(np.zeros((1, 1)), *arrays((2, 3, 9, 9), (8, 3, 3, 3)))
