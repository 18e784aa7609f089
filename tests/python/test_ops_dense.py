"""The other ops against NumPy, PyTorch and finite differences."""

import numpy as np
import pytest
import references

from fastcnn import ShapeError, ops

rng = np.random.default_rng(0)
X = rng.standard_normal((3, 4, 5, 2))
ROWS = rng.standard_normal((6, 7))
LABELS = np.array([0, 6, 2, 2, 5, 1])


def check_gradient(forward, backward, *inputs, tolerance=1e-6):
    """backward(dy, *inputs) against differences of forward(*inputs) in float64."""
    y = forward(*inputs)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    gradients = backward(dy, *inputs)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for i, gradient in enumerate(gradients):

        def only(x, i=i):
            return forward(*inputs[:i], x, *inputs[i + 1 :])

        numerical = references.numerical_gradient(only, inputs[i], dy)
        np.testing.assert_allclose(gradient, numerical, atol=tolerance)


NEURONS = {
    "relu": (ops.relu, ops.relu_backward, lambda x: np.maximum(x, 0)),
    "relu6": (
        lambda x: ops.relu6(5 * x),
        lambda dy, x: 5 * ops.relu6_backward(dy, 5 * x),
        lambda x: np.clip(5 * x, 0, 6),
    ),
    "sigmoid": (ops.sigmoid, ops.sigmoid_backward, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (ops.tanh, ops.tanh_backward, np.tanh),
    "scaled tanh": (
        lambda x: ops.tanh(x, 1.7159, 2 / 3),
        lambda dy, x: ops.tanh_backward(dy, x, 1.7159, 2 / 3),
        lambda x: 1.7159 * np.tanh(2 / 3 * x),
    ),
    "square": (ops.square, ops.square_backward, np.square),
    "affine": (
        lambda x: ops.affine(x, -2.5, 0.5),
        lambda dy, x: ops.affine_backward(dy, x, -2.5, 0.5),
        lambda x: -2.5 * x + 0.5,
    ),
}


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
def test_neurons_match_numpy_at_any_rank(name, shape):
    forward, backward, expected = NEURONS[name]
    x = np.random.default_rng(2).standard_normal(shape) + 0.01
    np.testing.assert_allclose(forward(x), expected(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(forward(x.astype("f4")), expected(x), rtol=1e-5, atol=1e-5)
    check_gradient(forward, backward, x)


def test_neurons_hold_at_the_ends_of_the_range():
    x = np.array([-1e4, -100, -20, 0, 20, 100, 1e4], "f4")
    np.testing.assert_allclose(ops.sigmoid(x), [0, 0, 2.0611537e-09, 0.5, 1, 1, 1], rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(ops.tanh(x), [-1, -1, -1, 0, 1, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(ops.relu_backward(np.ones(7), x), [0, 0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_a_matrix_product(bias):
    w = np.random.default_rng(3).standard_normal((5, 7))
    b = np.random.default_rng(4).standard_normal(5)
    if bias:
        np.testing.assert_allclose(ops.linear(ROWS, w, b), ROWS @ w.T + b, rtol=1e-12)
        check_gradient(ops.linear, ops.linear_backward, ROWS, w, b)
    else:
        np.testing.assert_allclose(ops.linear(ROWS, w), ROWS @ w.T, rtol=1e-12)
        dx, dw, db = ops.linear_backward(np.ones((6, 5)), ROWS, w)
        np.testing.assert_allclose(dx, np.ones((6, 5)) @ w, rtol=1e-12)
        np.testing.assert_allclose(dw, np.ones((6, 5)).T @ ROWS, rtol=1e-12)
        assert db is None


def test_flatten_keeps_the_logical_order():
    np.testing.assert_array_equal(ops.flatten(X), X.reshape(3, -1))
    np.testing.assert_array_equal(ops.flatten(X, 2), X.reshape(3, 4, -1))
    np.testing.assert_array_equal(ops.flatten_backward(X.reshape(3, -1), X), X)


def test_add_and_its_gradients():
    np.testing.assert_array_equal(ops.add(X, X), X + X)
    da, db = ops.add_backward(X, X, X)
    np.testing.assert_array_equal(da, X)
    np.testing.assert_array_equal(db, X)
    with pytest.raises(ShapeError):
        ops.add(X, X[:, :2])


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_concat_and_its_gradients(axis):
    y = ops.concat([X, 2 * X, X], axis)
    np.testing.assert_array_equal(y, np.concatenate([X, 2 * X, X], axis))
    parts = ops.concat_backward(y, [X, 2 * X, X], axis)
    for part, expected in zip(parts, (X, 2 * X, X), strict=True):
        np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("x", [ROWS, X], ids=["rank 2", "rank 4"])
def test_softmax_and_its_gradient(x):
    np.testing.assert_allclose(ops.softmax(x), references.softmax(x), rtol=1e-12)
    check_gradient(ops.softmax, ops.softmax_backward, x)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_and_its_gradient(reduction):
    losses = references.cross_entropy(ROWS, LABELS)
    expected = {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
    np.testing.assert_allclose(ops.cross_entropy(ROWS, LABELS, reduction), expected, rtol=1e-12)
    check_gradient(
        lambda x: ops.cross_entropy(x, LABELS, reduction),
        lambda dy, x: ops.cross_entropy_backward(dy, x, LABELS, reduction),
        ROWS,
    )


def test_cross_entropy_of_huge_logits_is_finite():
    x = np.array([[1e4, -1e4, 0], [3e4, 3e4, 3e4]], "f4")
    np.testing.assert_allclose(ops.cross_entropy(x, [0, 1], "none"), [0, np.log(3)], atol=1e-6)


def test_cross_entropy_names_a_label_out_of_range():
    for bad in (7, -1):
        with pytest.raises(ValueError, match=str(bad)):
            ops.cross_entropy(ROWS, [0, 1, 2, bad, 3, 4])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_squared_error_and_its_gradients(reduction):
    target = X[::-1].copy()
    squares = (X - target) ** 2
    expected = {"mean": squares.mean(), "sum": squares.sum(), "none": squares}[reduction]
    np.testing.assert_allclose(ops.squared_error(X, target, reduction), expected, rtol=1e-12)
    check_gradient(
        lambda x, t: ops.squared_error(x, t, reduction),
        lambda dy, x, t: ops.squared_error_backward(dy, x, t, reduction),
        X,
        target,
    )


def test_dropout_drops_the_share_asked_for_and_scales_the_rest():
    x = np.ones((100, 1000), "f4")
    y = ops.dropout(x, 0.25, seed=3)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01
    np.testing.assert_array_equal(ops.dropout_backward(x, x, 0.25, seed=3), y)
    np.testing.assert_array_equal(ops.dropout(x, 0.25, seed=3), y)
    for other in ({"seed": 4}, {"seed": 3, "step": 1}, {"seed": 3, "stream": 1}):
        assert (ops.dropout(x, 0.25, **other) != y).any()


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="reduction"):
        ops.cross_entropy(ROWS, LABELS, "median")
    with pytest.raises(ValueError, match="p"):
        ops.dropout(X, 1.5)
