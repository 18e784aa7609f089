"""Loader: an order that follows from seed and epoch. Preprocessing: one way from image to input."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.data import Loader, Preprocessing

X = np.arange(10, dtype=np.float32)
Y = np.arange(10, dtype=np.uint8)


def labels(loader: Loader) -> list[int]:
    return [int(label) for _, y in loader for label in y]


def test_batches_keep_x_with_y() -> None:
    for x, y in Loader(X, Y, 3, shuffle=True):
        assert y.dtype == np.int64
        np.testing.assert_array_equal(x, y)


def test_stored_order_without_shuffle() -> None:
    assert labels(Loader(X, Y, 3)) == list(range(10))


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_last_batch_is_kept_or_dropped(drop_last: bool, sizes: list[int]) -> None:
    loader = Loader(X, Y, 4, drop_last=drop_last)
    assert [len(y) for _, y in loader] == sizes
    assert len(loader) == len(sizes)
    assert loader.samples == sum(sizes)


def test_epochs_differ_and_each_is_a_permutation() -> None:
    loader = Loader(X, Y, 4, shuffle=True)
    first, second = labels(loader), labels(loader)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(10))


def test_order_follows_from_seed_and_epoch() -> None:
    whole = Loader(X, Y, 4, shuffle=True, seed=3)
    labels(whole)
    resumed = Loader(X, Y, 4, shuffle=True, seed=3)
    resumed.epoch = 1
    assert labels(whole) == labels(resumed)
    assert labels(Loader(X, Y, 4, shuffle=True, seed=4)) != labels(Loader(X, Y, 4, shuffle=True, seed=3))


def test_empty_data_has_no_batches() -> None:
    assert list(Loader(X[:0], Y[:0], 4)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": Y[:9]}, "x has 10 samples, y has 9"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Loader(**{"x": X, "y": Y, **arguments})  # type: ignore[arg-type]


def test_preprocessing_normalises_the_images_it_was_fitted_to() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8), np.uint8)
    x = Preprocessing.fit(images, (1, 8, 8))(images)
    assert x.dtype == np.float32 and x.shape == (50, 1, 8, 8)
    assert abs(x.mean()) < 1e-5 and abs(x.std() - 1) < 1e-5


def test_preprocessing_without_fit_scales_to_one() -> None:
    x = Preprocessing((1, 2), (1, 1, 2))(np.array([[[0, 255]]], np.uint8))
    np.testing.assert_allclose(x, [[[[0, 1]]]], atol=1e-7)


def test_preprocessing_fills_the_networks_size_and_channels() -> None:
    x = Preprocessing((8, 8), (3, 227, 227))(np.zeros((2, 8, 8), np.uint8))
    assert x.shape == (2, 3, 227, 227)


def test_constant_images_are_not_divided_by_zero() -> None:
    images = np.full((2, 4, 4), 7, np.uint8)
    np.testing.assert_allclose(Preprocessing.fit(images, (1, 4, 4))(images), 0, atol=1e-6)


def test_preprocessing_survives_its_dictionary() -> None:
    settings = Preprocessing((8, 8), (1, 28, 28), 0.25, 0.5)
    assert Preprocessing.from_dict(settings.to_dict()) == settings


def test_preprocessing_refuses_another_size() -> None:
    with pytest.raises(ValueError, match=r"expected \(n, 8, 8\)"):
        Preprocessing((8, 8), (1, 28, 28))(np.zeros((2, 9, 8), np.uint8))
