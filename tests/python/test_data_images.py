"""Folders of images: a class per folder, in memory or decoded as they are asked for."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcnn.data import DataError, ImageFiles, Loader, MeanImage, PCANoise, Preprocessing, image_files, load

Image = pytest.importorskip("PIL.Image")


def save(path: Path, pixels: np.ndarray, **options: object) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def random_image(seed: int, height: int = 6, width: int = 5, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate(["train/cat/a.png", "train/cat/b.PNG", "train/dog/c.png", "test/dog/d.png"]):
        save(tmp_path / name, random_image(i))
    return tmp_path


def test_images_of_one_size_are_an_array(folder: Path) -> None:
    (folder / "train/cat/notes.txt").write_text("not an image")
    dataset = load(folder)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.labels.tolist() == [0, 0, 1] and dataset.test.labels.tolist() == [1]
    assert isinstance(dataset.train.images, np.ndarray)
    for i in range(3):
        np.testing.assert_array_equal(dataset.train.images[i], random_image(i).transpose(2, 0, 1))
    np.testing.assert_array_equal(dataset.test.images[0], random_image(3).transpose(2, 0, 1))


def test_grey_images_have_no_channels(tmp_path: Path) -> None:
    for i, name in enumerate(["a/0.png", "a/1.png", "b/2.png"]):
        save(tmp_path / name, random_image(i, channels=1))
    assert load(tmp_path, test_fraction=0).train.images.shape == (3, 6, 5)
    save(tmp_path / "b/3.png", random_image(3))
    images = load(tmp_path, test_fraction=0).train.images
    assert images.shape == (4, 3, 6, 5)
    np.testing.assert_array_equal(images[0], np.broadcast_to(random_image(0, channels=1), (3, 6, 5)))


def test_share_of_each_class_is_the_test_part_where_there_is_none(tmp_path: Path) -> None:
    for i in range(20):
        save(tmp_path / ("cat" if i < 15 else "dog") / f"{i:02}.png", random_image(i))
    dataset = load(tmp_path)
    assert np.bincount(dataset.test.labels).tolist() == [3, 1]
    assert np.bincount(dataset.train.labels).tolist() == [12, 4]
    np.testing.assert_array_equal(dataset.test.images, load(tmp_path).test.images)


def test_validation_folder_is_the_test_part_where_there_is_none(folder: Path) -> None:
    (folder / "test").rename(folder / "val")
    assert len(load(folder).test) == 1


def test_images_of_several_sizes_stay_in_their_files(folder: Path) -> None:
    save(folder / "train/dog/e.jpg", random_image(9, 40, 80))
    dataset = load(folder, image_size=20)
    images = dataset.train.images
    assert isinstance(images, ImageFiles)
    assert images.shape == (4, 3, 20, 20) and len(images) == 4 and images.dtype == np.uint8
    assert dataset.test.images.shape == (1, 3, 20, 20)
    assert images[2].shape == (3, 20, 20) and images[[2, 0]].shape == (2, 3, 20, 20)
    np.testing.assert_array_equal(images[[2, 0]][1], images[0])
    kept, held = dataset.train.hold_out(0.25)
    assert len(kept) == 3 and len(held) == 1 and isinstance(held.images, ImageFiles)


def test_shorter_side_is_fitted_and_the_centre_taken(tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    save(tmp_path / "wide.png", wide)
    files = ImageFiles([tmp_path / "wide.png"], (5, 5))
    np.testing.assert_array_equal(files[0][:, :, 1:4], np.full((3, 5, 3), 200))
    same_size = ImageFiles([tmp_path / "wide.png"], (10, 30))
    np.testing.assert_array_equal(same_size[0], wide.transpose(2, 0, 1))


def test_shrinking_smooths(tmp_path: Path) -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    save(tmp_path / "board.png", np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8))
    small = ImageFiles([tmp_path / "board.png"], (8, 8))[0]
    assert np.abs(small.astype(int) - 127).max() < 20


def test_large_jpeg_decoded_at_a_fraction_looks_the_same(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    picture = np.stack(
        [np.tile(ramp, (256, 1)), np.tile(ramp[::-1], (256, 1)), np.full((256, 512), 90)], axis=2
    )
    save(tmp_path / "large.jpg", picture.astype(np.uint8), quality=95)
    save(tmp_path / "large.png", picture.astype(np.uint8))
    files = ImageFiles([tmp_path / "large.jpg", tmp_path / "large.png"], (32, 32))
    assert np.abs(files[0].astype(int) - files[1].astype(int)).max() <= 6


def test_photo_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter to the left
    save(tmp_path / "a/turned.png", random_image(0, 4, 6), exif=exif)
    images = load(tmp_path, test_fraction=0).train.images
    np.testing.assert_array_equal(images[0], np.rot90(random_image(0, 4, 6), -1).transpose(2, 0, 1))


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[:2, :, 3], pixels[2:, :, 3] = 0, 255
    save(tmp_path / "a/glass.png", pixels)
    image = load(tmp_path, test_fraction=0).train.images[0]
    assert (image[:, :2] == 0).all() and (image[:, 2:] == 200).all()


@pytest.mark.parametrize("several_sizes", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GIF89a nonsense", "not an image that Pillow knows"),
        (None, "unreadable image"),
        (b"", "not an image"),
    ],
)
def test_broken_image_is_named(
    folder: Path, content: bytes | None, message: str, several_sizes: bool
) -> None:
    whole = (folder / "train/cat/a.png").read_bytes()
    (folder / "train/dog/broken.png").write_bytes(whole[: len(whole) // 2] if content is None else content)
    if several_sizes:
        save(folder / "train/cat/b.PNG", random_image(0, 9, 9))
    with pytest.raises(DataError, match=rf"broken\.png: {message}"):
        images = load(folder).train.images
        images[[0, 1, 2, 3]]
        pytest.fail(f"{type(images)} was read")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of metadata
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=st.data(), suffix=st.sampled_from(["jpg", "png", "bmp", "ppm"]))
def test_mutated_image_is_read_or_refused(tmp_path: Path, mutations: st.DataObject, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    save(path, random_image(0))
    content = bytearray(path.read_bytes())
    for _ in range(mutations.draw(st.integers(1, 4))):
        content[mutations.draw(st.integers(0, len(content) - 1))] = mutations.draw(st.integers(0, 255))
    path.write_bytes(content[: mutations.draw(st.integers(len(content) // 2, len(content)))])
    try:
        assert ImageFiles([path], (4, 4))[0].shape == (3, 4, 4)
    except DataError as error:
        assert str(path) in str(error)


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a/deep.png", np.full((4, 4), 40_000, np.uint16))
    with pytest.raises(
        DataError, match=r"deep.png: unreadable image: pixels of mode I;16, expected 8 bits per channel"
    ):
        load(tmp_path)


def test_class_without_images_is_refused(folder: Path) -> None:
    (folder / "train/bird").mkdir()
    with pytest.raises(DataError, match=r"bird: no images \(.*\.png"):
        load(folder)


def test_class_unknown_in_training_is_refused(folder: Path) -> None:
    save(folder / "test/bird/x.png", random_image(0))
    with pytest.raises(DataError, match="test: class 'bird' is not among the training images' classes"):
        load(folder)


def test_what_does_not_fit_into_memory_stays_in_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "_MAX_BYTES", 300)
    assert isinstance(load(folder, image_size=6).train.images, ImageFiles)


def test_statistics_are_those_of_decoded_images(folder: Path) -> None:
    save(folder / "train/dog/e.png", random_image(9, 40, 80))
    files = load(folder, image_size=20).train.images
    decoded = files[:]
    assert Preprocessing.fit(files, (3, 20, 20)) == Preprocessing.fit(decoded, (3, 20, 20))
    np.testing.assert_array_equal(MeanImage.fit(files).mean, MeanImage.fit(decoded).mean)
    assert PCANoise.fit(files) == PCANoise.fit(decoded)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_of_files_are_decoded_in_order(folder: Path, workers: int) -> None:
    save(folder / "train/dog/e.png", random_image(9, 40, 80))
    train = load(folder, image_size=20).train
    loader = Loader(train.images, train.labels, 3, workers=workers)
    batches = list(loader)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), train.images[:])
    assert [y.tolist() for _, y in batches] == [[0, 0, 1], [1]]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fastcnn-data")]


def test_channels_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="channels is 4, expected 1 or 3"):
        ImageFiles([tmp_path], (2, 2), 4)
