"""Augmentation: each change against its definition in NumPy; what happens to a sample follows from the seed,
the epoch and the sample."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fastcnn import Trainer, data, nn, optim
from fastcnn.data import (
    Augmentation,
    CenterCrop,
    ColorJitter,
    Cutout,
    Draws,
    Loader,
    MeanImage,
    Mixup,
    PCANoise,
    Preprocessing,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
)

N = 40
LABELS = np.arange(N) % 10
DTYPES = ("uint8", "float32")


def make_images(dtype: str = "uint8", channels: int = 3, height: int = 7, width: int = 9) -> np.ndarray:
    shape = (N, channels, height, width)
    return np.random.default_rng(0).integers(1, 256, shape, np.uint8).astype(dtype)


def apply(change: Augmentation, images: np.ndarray, seed: int = 0) -> np.ndarray:
    result, labels = change(images, LABELS, Draws(seed, 0, np.arange(len(images))))
    np.testing.assert_array_equal(labels, LABELS)
    return result


def windows(image: np.ndarray, height: int, width: int) -> Iterator[np.ndarray]:
    for top in range(image.shape[1] - height + 1):
        for left in range(image.shape[2] - width + 1):
            yield image[:, top : top + height, left : left + width]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("size", "padding", "fill"), [(5, 0, 0), ((7, 9), 2, 0), ((3, 11), 4, 100), (1, 3, 7)]
)
def test_random_crop_is_a_window_of_the_padded_image(
    dtype: str, size: int | tuple[int, int], padding: int, fill: float
) -> None:
    images = make_images(dtype)
    height, width = (size, size) if isinstance(size, int) else size
    cropped = apply(RandomCrop(size, padding, fill), images)
    assert cropped.dtype == dtype and cropped.shape == (N, 3, height, width)
    border = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    for image, padded in zip(cropped, np.pad(images, border, constant_values=fill), strict=True):
        assert any(np.array_equal(image, window) for window in windows(padded, height, width))


def test_every_window_is_as_likely() -> None:
    images = np.broadcast_to(np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4), (6000, 1, 3, 4))
    cropped, _ = RandomCrop((2, 3))(
        np.ascontiguousarray(images), np.zeros(6000), Draws(5, 2, np.arange(6000))
    )
    corners, counts = np.unique(cropped[:, 0, 0, 0], return_counts=True)
    assert corners.tolist() == [0, 1, 4, 5]
    assert np.abs(counts - 1500).max() < 150  # 4.5 standard deviations


@pytest.mark.parametrize("change", [RandomCrop(10), RandomCrop((8, 3)), CenterCrop((7, 10))])
def test_window_larger_than_the_image_is_refused(change: Augmentation) -> None:
    with pytest.raises(ValueError, match=r"Crop\(size=.*images are \(7, 9\), smaller than the window"):
        apply(change, make_images())


def test_center_crop_is_the_middle() -> None:
    images = make_images()
    np.testing.assert_array_equal(apply(CenterCrop((3, 4)), images), images[:, :, 2:5, 2:6])
    np.testing.assert_array_equal(apply(CenterCrop((7, 9)), images), images)


@pytest.mark.parametrize("dtype", DTYPES)
def test_flip_exchanges_left_and_right_of_half_of_the_images(dtype: str) -> None:
    images = make_images(dtype)
    np.testing.assert_array_equal(apply(RandomHorizontalFlip(1.0), images), images[..., ::-1])
    np.testing.assert_array_equal(apply(RandomHorizontalFlip(0.0), images), images)
    flipped = apply(RandomHorizontalFlip(), images)
    is_flipped = (flipped == images[..., ::-1]).all((1, 2, 3))
    assert ((flipped == images).all((1, 2, 3)) ^ is_flipped).all() and 10 < is_flipped.sum() < 30


def test_resize_fits_the_shorter_side() -> None:
    images = make_images(height=10, width=15)
    resized = apply(Resize(4), images)
    assert resized.shape == (N, 3, 4, 6) and resized.dtype == np.float32
    expected = Preprocessing((10, 15), (3, 4, 6))(images) * 255
    np.testing.assert_allclose(resized, expected, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fill", [0.0, (3, 2, 1)])
def test_cutout_fills_a_square_that_may_reach_over_the_edge(dtype: str, fill: Any) -> None:
    images = make_images(dtype) // 2 + 4
    before = images.copy()
    cut = apply(Cutout(4, fill), images)
    np.testing.assert_array_equal(images, before)
    colour = np.broadcast_to(np.array(fill, dtype), 3)
    areas = set()
    for old, new in zip(images, cut, strict=True):
        changed = (old != new).all(0)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert len(rows) <= 4 and len(columns) <= 4
        assert changed.sum() == len(rows) * len(columns)
        assert (new[:, changed] == colour[:, None]).all()
        np.testing.assert_array_equal(new[:, ~changed], old[:, ~changed])
        areas.add(int(changed.sum()))
    assert 16 in areas and min(areas) < 16


def jitter_by_definition(image: np.ndarray, factors: np.ndarray) -> np.ndarray:
    def grey(pixels: np.ndarray) -> np.ndarray:
        return np.tensordot([0.299, 0.587, 0.114], pixels, 1)

    bright = np.clip(image * factors[0], 0, 255)
    mean = grey(bright).mean()
    contrasted = np.clip(mean + factors[1] * (bright - mean), 0, 255)
    level = grey(contrasted)
    return np.clip(level + factors[2] * (contrasted - level), 0, 255)


@pytest.mark.parametrize("dtype", DTYPES)
def test_colour_jitter_blends_as_defined(dtype: str) -> None:
    images = make_images(dtype)
    changed = apply(ColorJitter(0.4, 0.3, 0.9), images)
    assert changed.dtype == np.float32
    factors = 1 + np.array([0.4, 0.3, 0.9]) * Draws(0, 0, np.arange(N)).uniform(-1, 1, 3)
    for image, result, of_image in zip(images.astype(float), changed, factors, strict=True):
        np.testing.assert_allclose(result, jitter_by_definition(image, of_image), atol=1e-3)
    np.testing.assert_allclose(apply(ColorJitter(), images), images, atol=1e-4)


def test_colour_jitter_is_pillows_enhancement() -> None:
    pillow = pytest.importorskip("PIL.Image")
    from PIL import ImageEnhance

    image = make_images(height=16, width=16)[0]
    picture = pillow.fromarray(image.transpose(1, 2, 0).copy())
    for i, kind in enumerate((ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)):
        factors = np.ones(3)
        factors[i] = 1.35
        expected = np.asarray(kind(picture).enhance(1.35)).transpose(2, 0, 1)
        np.testing.assert_allclose(jitter_by_definition(image, factors), expected, atol=1.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pca_noise_adds_one_colour_along_the_principal_components(dtype: str) -> None:
    mixing = np.array([[50, 5, 0], [40, -8, 2], [45, 3, -4]])
    random = np.random.default_rng(0)
    levels = 128 + random.normal(size=(4000, 3)) @ mixing.T
    images = np.clip(levels, 0, 255).reshape(40, 10, 10, 3).transpose(0, 3, 1, 2).astype(np.uint8)
    noise = PCANoise.fit(images, std=0.5)
    components = np.array(noise.components)
    pixels = images.transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(components @ components.T, np.cov(pixels), rtol=1e-9)  # V diag(variance) V'
    assert (np.take_along_axis(components, np.abs(components).argmax(0)[None], 0) > 0).all()
    off_diagonal = (components.T @ components)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-8)

    many = np.zeros((5000, 3, 1, 2), dtype)
    shifted, _ = noise(many, np.zeros(5000), Draws(0, 0, np.arange(5000)))
    assert shifted.dtype == np.float32
    np.testing.assert_array_equal(shifted[..., 0], shifted[..., 1])
    np.testing.assert_allclose(np.cov(shifted[:, :, 0, 0].T), 0.25 * np.cov(pixels), rtol=0.15)


@pytest.mark.parametrize("change", [ColorJitter(0.1), PCANoise(((1, 0, 0), (0, 1, 0), (0, 0, 1)))])
def test_colours_need_three_channels(change: Augmentation) -> None:
    with pytest.raises(ValueError, match=r"images are \(40, 1, 7, 9\), expected \(n, 3, height, width\)"):
        apply(change, make_images(channels=1))
    with pytest.raises(ValueError, match="expected"):
        PCANoise.fit(make_images()[:, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_mixup_mixes_images_and_labels_alike(dtype: str) -> None:
    images = np.eye(N, dtype=dtype).reshape(N, 1, 1, N) * 100
    shares = set()
    for seed in range(20):
        mixed, targets = Mixup(10, alpha=1.0)(images, LABELS, Draws(seed, 0, np.arange(N)))
        assert mixed.dtype == targets.dtype == np.float32
        origin = mixed[:, 0, 0] / 100  # how much of which image is in each
        np.testing.assert_allclose(origin.sum(1), 1, rtol=1e-6)
        np.testing.assert_allclose(targets, origin @ np.eye(10)[LABELS], atol=1e-6)
        shares.add(float(np.diag(origin).min()))
    assert len(shares) == 20 and max(shares) - min(shares) > 0.5


def test_mixed_batches_train() -> None:
    digits = data.load("digits").train
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    trainer = Trainer(model, None, optim.SGD(model.parameters(), lr=0.5))
    loader = Loader(
        digits.images, digits.labels, 64, augment=[Mixup(10)], transform=Preprocessing((8, 8), (1, 8, 8))
    )
    epochs = trainer.fit(loader, 3)
    assert epochs[-1].train_loss < 0.8 * epochs[0].train_loss


CHANGES: list[Augmentation] = [
    RandomCrop(7, padding=2),
    RandomHorizontalFlip(),
    ColorJitter(0.2, 0.2, 0.2),
    PCANoise(((9, 0, 0), (0, 9, 0), (0, 0, 9))),
    Cutout(3),
    CenterCrop(6),
    Resize(12),
]


def batches(batch_size: int = 8, epoch: int = 0, **options: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    options = {"shuffle": True, "seed": 3, "augment": CHANGES, **options}
    loader = Loader(make_images(), np.arange(N), batch_size, **options)
    loader.epoch = epoch
    return list(loader)


def by_sample(of: list[tuple[np.ndarray, np.ndarray]]) -> dict[int, bytes]:
    return {int(label): image.tobytes() for x, y in of for image, label in zip(x, y, strict=True)}


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("prefetch", [1, 4])
def test_any_number_of_workers_makes_the_same_batches(workers: int, prefetch: int) -> None:
    mixing = [*CHANGES, Mixup(N)]
    alone, together = batches(augment=mixing), batches(augment=mixing, workers=workers, prefetch=prefetch)
    assert len(alone) == len(together) == 5
    for (x, y), (x_together, y_together) in zip(alone, together, strict=True):
        assert x.tobytes() == x_together.tobytes() and y.tobytes() == y_together.tobytes()


def test_a_sample_is_changed_alike_in_any_batch_and_order() -> None:
    assert by_sample(batches(8)) == by_sample(batches(13)) == by_sample(batches(8, shuffle=False))


def test_epochs_and_seeds_change_samples_differently() -> None:
    first = by_sample(batches())
    for other in (by_sample(batches(epoch=1)), by_sample(batches(seed=4))):
        assert all(first[i] != other[i] for i in range(N))
    assert first == by_sample(batches())


def test_epoch_goes_on_in_the_middle() -> None:
    loader = Loader(make_images(), np.arange(N), 8, shuffle=True, augment=CHANGES)
    whole = [*loader, *loader]
    loader.epoch, loader.start = 0, 3
    resumed = [*loader, *loader]
    assert loader.start == 0 and len(resumed) == 7
    for (x, y), (x_resumed, y_resumed) in zip(whole[3:], resumed, strict=True):
        np.testing.assert_array_equal(x, x_resumed)
        np.testing.assert_array_equal(y, y_resumed)


def test_a_sample_that_comes_several_times_is_changed_each_time() -> None:
    labels = np.array([0] * 39 + [1])
    images = np.broadcast_to(make_images()[:1], (N, 3, 7, 9))
    loader = Loader(images, labels, N, shuffle=True, balanced=True, augment=[PCANoise(np.eye(3).tolist())])
    ((x, y),) = loader
    assert (y == 1).sum() == 20 and len(np.unique(x[y == 1][:, 0, 0, 0])) == 20


def test_grey_images_without_channels_are_augmented() -> None:
    images = make_images(channels=1)[:, 0]
    ((x, _),) = Loader(images, LABELS, N, augment=[RandomHorizontalFlip(1.0)])
    np.testing.assert_array_equal(x[:, 0], images[..., ::-1])


def test_preparation_takes_what_augmentation_cropped() -> None:
    images = make_images(height=12, width=10)
    prepare = Preprocessing.fit(images, (3, 8, 8), crop=True)
    np.testing.assert_allclose(prepare(images), prepare(images[:, :, 2:10, 1:9]))
    ((x, _),) = Loader(images, LABELS, N, augment=[RandomCrop(8)], transform=prepare)
    assert x.shape == (N, 3, 8, 8)
    assert Preprocessing.fit(images, (3, 13, 8), crop=True)(images).shape == (N, 3, 13, 8)


def test_preparation_normalises_each_channel() -> None:
    images = make_images()
    images[:, 1] //= 3
    x = Preprocessing.fit(images, (3, 7, 9))(images)
    np.testing.assert_allclose(x.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize(
    "prepare", [Preprocessing.fit(make_images(), (3, 7, 9)), MeanImage.fit(make_images())]
)
def test_prepared_batches_lie_in_memory_as_the_engine_has_them(prepare: Any) -> None:
    x = prepare(make_images())
    assert x.dtype == np.float32 and x.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(prepare(make_images("float32")), x)
    assert type(prepare).from_dict(prepare.to_dict()).to_dict() == prepare.to_dict()


def test_mean_image_is_subtracted_pixel_by_pixel() -> None:
    images = make_images()
    expected = images - images.mean(0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(MeanImage.fit(images)(images), expected.astype(np.float32))


def test_uniform_numbers_are_uniform_and_independent() -> None:
    draws = Draws(1, 2, np.arange(20_000))
    numbers = draws.uniform(count=4)
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.stack([np.bincount((column * 20).astype(int), minlength=20) for column in numbers.T])
    assert ((counts - 1000) ** 2 / 1000).sum(1).max() < 50  # chi-square, 19 degrees of freedom: p = 1e-4
    correlation = np.corrcoef([*numbers.T, *draws.normal(2).T, np.roll(numbers[:, 0], 1)])
    assert np.abs(correlation - np.eye(7)).max() < 0.035
    assert len(np.unique(numbers)) == numbers.size


def test_normal_numbers_are_normal() -> None:
    numbers = Draws(1, 2, np.arange(20_000)).normal()
    assert abs(numbers.mean()) < 0.03 and abs(numbers.std() - 1) < 0.02
    assert abs((np.abs(numbers) < 1).mean() - 0.6827) < 0.015 and np.isfinite(numbers).all()


def threads_of_data() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("fastcnn-data")]


def failing(at: int) -> Callable[[np.ndarray], np.ndarray]:
    def transform(x: np.ndarray) -> np.ndarray:
        if x[0] == at:
            raise ArithmeticError(f"at {at}")
        return x

    return transform


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_error_surfaces_where_the_batch_is_asked_for(workers: int) -> None:
    loader = Loader(np.arange(20), np.arange(20), 2, transform=failing(8), workers=workers)
    seen = []
    with pytest.raises(ArithmeticError, match="at 8"):
        for _, y in loader:
            seen.append(int(y[0]))
    assert seen == [0, 2, 4, 6]
    assert not threads_of_data()


@pytest.mark.parametrize("workers", [1, 4])
def test_no_thread_is_left_behind(workers: int) -> None:
    loader = Loader(np.arange(50), np.arange(50), 2, workers=workers)
    for _ in loader:
        assert threads_of_data()
        break
    assert not threads_of_data()
    list(loader)
    assert not threads_of_data()
    iter(loader)
    assert not threads_of_data()


def test_only_so_many_batches_are_made_ahead() -> None:
    made = []

    def transform(x: np.ndarray) -> np.ndarray:
        made.append(int(x[0]))
        return x

    iterator = iter(Loader(np.arange(50), np.arange(50), 1, transform=transform, workers=2, prefetch=3))
    next(iterator)
    deadline = time.monotonic() + 5
    while len(made) < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert sorted(made) == list(range(7))  # the one in use and 2 * 3 more
    iterator.close()  # type: ignore[attr-defined]
    assert len(made) == 7 and not threads_of_data()


@pytest.mark.parametrize("options", [{"workers": -1}, {"prefetch": 0}])
def test_wrong_numbers_of_workers_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected at least 0 and 1"):
        Loader(np.arange(2), np.arange(2), **options)  # type: ignore[arg-type]
