"""cuda-convnet's blur and bed of nails against NumPy loops from the definition."""

from itertools import product

import numpy as np
import pytest
import references

from fastcnn import nn, ops


def blurred(x, size, sigma):
    """By cuda-convnet's definition: one filter along both axes, 0 beyond the sides."""
    taps = np.exp(-((size // 2 - np.arange(size)) ** 2) / (2 * sigma**2))
    filter2d = np.outer(taps, taps) / taps.sum() ** 2
    r = size // 2
    padded = np.pad(x, ((0, 0), (0, 0), (r, r), (r, r)))
    h, w = x.shape[2:]
    return sum(
        filter2d[i, j] * padded[:, :, i : i + h, j : j + w] for i, j in product(range(size), range(size))
    )


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9])
def test_blur_and_its_gradient_match_the_definition(size):
    rng = np.random.default_rng(size)
    x = rng.standard_normal((2, 3, 6, 7))
    y = ops.gaussian_blur(x, size, 1.3)
    np.testing.assert_allclose(y, blurred(x, size, 1.3), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(nn.GaussianBlur(size, 1.3)(x), y)
    dy = rng.standard_normal(x.shape)
    dx = ops.gaussian_blur_backward(dy, x, size, 1.3)
    numerical = references.numerical_gradient(lambda a: ops.gaussian_blur(a, size, 1.3), x, dy)
    np.testing.assert_allclose(dx, numerical, atol=1e-8)


def test_the_filter_is_the_documented_one():
    """As the page on cuda-convnet's layers prints it for five taps."""
    x = np.zeros((1, 1, 9, 9))
    x[0, 0, 4, 4] = 1
    taps = [0.05448869, 0.24420136, 0.40261996, 0.24420136, 0.05448869]
    np.testing.assert_allclose(ops.gaussian_blur(x, 5, 1.0)[0, 0, 2:7, 2:7], np.outer(taps, taps), atol=1e-8)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, (3, 2)])
@pytest.mark.parametrize("extents", [(6, 8), (9, 7), (5, 5), (1, 2)])
def test_nailbed_samples_cuda_convnets_grid(extents, stride):
    x = np.random.default_rng(0).standard_normal((2, 3, *extents))
    rows, cols = (
        [(n - s * (-(-n // s) - 1)) // 2 + s * i for i in range(-(-n // s))]
        for n, s in zip(extents, references.pair(stride), strict=True)
    )
    y = ops.nailbed(x, stride)
    np.testing.assert_array_equal(y, x[:, :, rows][:, :, :, cols])
    np.testing.assert_array_equal(nn.Nailbed(stride)(x), y)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    expected = np.zeros_like(x)
    expected[np.ix_(range(2), range(3), rows, cols)] = dy
    np.testing.assert_array_equal(ops.nailbed_backward(dy, x, stride), expected)


def test_nailbed_starts_where_it_is_told():
    x = np.arange(35.0).reshape(1, 1, 5, 7)
    np.testing.assert_array_equal(ops.nailbed(x, 2, start=(0, 1)), x[:, :, ::2, 1::2])
    np.testing.assert_array_equal(nn.Nailbed((2, 3), start=1)(x), x[:, :, 1::2, 1::3])


def test_refusals():
    with pytest.raises(ValueError, match="size is 4, expected an odd number"):
        nn.GaussianBlur(4, 1.0)
    with pytest.raises(ValueError, match="expected a positive number"):
        nn.GaussianBlur(3, 0)
    with pytest.raises(ValueError, match="stride is 0"):
        nn.Nailbed(0)
    with pytest.raises(ValueError, match="rank 2, expected 4"):
        ops.nailbed(np.zeros((3, 4)), 2)
