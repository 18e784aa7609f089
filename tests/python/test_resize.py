import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn.data._resize import resize_bilinear


def reference(images, height, width):
    """The definition, one output pixel at a time, in double precision."""
    n, h, w, c = images.shape
    y = np.zeros((n, height, width, c))
    for i in range(height):
        for j in range(width):
            v = max(0.0, (i + 0.5) * h / height - 0.5)
            u = max(0.0, (j + 0.5) * w / width - 0.5)
            i0, j0 = int(v), int(u)
            i1, j1 = min(i0 + 1, h - 1), min(j0 + 1, w - 1)
            for row, wv in ((i0, 1 - (v - i0)), (i1, v - i0)):
                for column, wu in ((j0, 1 - (u - j0)), (j1, u - j0)):
                    y[:, i, j] += wv * wu * images[:, row, column]
    return y


sizes = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(h=sizes, w=sizes, height=sizes, width=sizes, c=st.integers(1, 3), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resize_is_the_definition(dtype, h, w, height, width, c, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, h, w, c)).astype(dtype)
    y = resize_bilinear(images, height, width)
    assert y.dtype == np.float32
    assert y.shape == (2, height, width, c)
    np.testing.assert_allclose(y, reference(images, height, width), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (3, 5), (1, 1), (64, 9)])
def test_resize_matches_torch(size):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((4, 8, 10, 3), np.float32)
    y = torch.nn.functional.interpolate(
        torch.from_numpy(x).permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resize_bilinear(x, *size), y.permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-6)


def test_resize_to_the_same_size_is_the_identity():
    x = np.random.default_rng(1).random((3, 7, 5), np.float32)
    np.testing.assert_array_equal(resize_bilinear(x, 7, 5), x)


def test_resize_keeps_the_rank_and_the_values_of_a_flat_image():
    x = np.full((2, 8, 8), 200, np.uint8)
    y = resize_bilinear(x, 28, 28)
    assert y.shape == (2, 28, 28)
    assert (y == 200).all()


def test_resize_takes_views():
    x = np.random.default_rng(2).random((4, 6, 8, 3), np.float32)
    view = x[::2, ::-1, 1:7]
    np.testing.assert_array_equal(resize_bilinear(view, 5, 5), resize_bilinear(view.copy(), 5, 5))


@pytest.mark.parametrize("shape", [(0, 8, 8), (2, 8, 8, 0)])
def test_resize_of_an_empty_batch_is_empty(shape):
    y = resize_bilinear(np.zeros(shape, np.uint8), 4, 4)
    assert y.shape == (shape[0], 4, 4, *shape[3:])


@pytest.mark.parametrize(
    ("images", "size", "error", "message"),
    [
        (np.zeros((8, 8), np.uint8), (4, 4), ValueError, r"\(8, 8\), expected \(n, h, w\)"),
        (np.zeros((1, 8, 8), np.int64), (4, 4), TypeError, "int64, expected uint8 or float32"),
        (np.zeros((1, 8, 8), np.uint8), (0, 4), ValueError, r"\(0, 4\), expected at least \(1, 1\)"),
        (np.zeros((1, 0, 8), np.uint8), (4, 4), ValueError, "no pixel"),
    ],
)
def test_resize_refuses_what_it_cannot_do(images, size, error, message):
    with pytest.raises(error, match=message):
        resize_bilinear(images, *size)
