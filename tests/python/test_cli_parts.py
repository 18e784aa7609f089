"""Parts of the command line that need no network: numbers, suggestions, run folders, images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from fastcnn._names import did_you_mean
from fastcnn.cli.images import read_images
from fastcnn.cli.parser import CommandError, real, whole
from fastcnn.cli.run_folder import Run, prepared_folder, read_run, write_description
from fastcnn.data import Preprocessing

RUN = Run(
    version="1",
    model="lenet",
    data="digits",
    class_names=("zero", "one"),
    preprocessing=Preprocessing((8, 8), (1, 28, 28), 0.25, 0.5),
    settings={"lr": 0.1},
    metrics={"test_accuracy": 0.5},
)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e3", "ten", "", "99999999999"])
def test_whole_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 1 to"):
        whole(1)(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf", "much", ""])
def test_number_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number above 0, not"):
        real("above 0", lambda number: number > 0)(text)


def test_numbers_are_read() -> None:
    assert whole(1)("12") == 12
    assert real("above 0", lambda number: number > 0)("1e-3") == 1e-3


def test_near_name_is_suggested() -> None:
    assert did_you_mean("--epoch", ["--epochs", "--lr"]) == "; did you mean --epochs?"
    assert did_you_mean("--zzz", ["--epochs", "--lr"]) == ""


def test_run_folder_comes_back(tmp_path: Path) -> None:
    write_description(tmp_path, RUN)
    assert read_run(tmp_path) == RUN
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    with prepared_folder(tmp_path / "a" / "b"):
        write_description(tmp_path / "a" / "b", RUN)
    with pytest.raises(CommandError, match="already holds a run"), prepared_folder(tmp_path / "a" / "b"):
        pass


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CommandError, match="can't make this folder"),
        prepared_folder(tmp_path / "file" / "run"),
    ):
        pass


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not a run folder"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"), [("model", None), ("preprocessing", {}), ("preprocessing", 3), ("settings", 1)]
)
def test_broken_description_is_refused(tmp_path: Path, key: str, value: object) -> None:
    write_description(tmp_path, RUN)
    path = tmp_path / "run.json"
    fields = json.loads(path.read_text())
    if value is None:
        del fields[key]
    else:
        fields[key] = value
    path.write_text(json.dumps(fields))
    with pytest.raises(CommandError, match=r"run\.json: broken"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00"])
def test_description_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(CommandError, match=r"run\.json: broken"):
        read_run(tmp_path)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "picture.png"
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, 8:] = (255, 255, 255, 255)
    image.fromarray(pixels).save(path)
    return path


def test_image_is_grey_and_of_the_datas_size(picture: Path) -> None:
    images = read_images([picture, picture], (4, 4), 1, invert=False)
    assert images.shape == (2, 1, 4, 4) and images.dtype == np.uint8
    np.testing.assert_array_equal(images[0, 0, :, 0], 0)
    np.testing.assert_array_equal(images[0, 0, :, 3], 255)


def test_inverted_image_has_its_transparent_parts_as_ground(picture: Path) -> None:
    np.testing.assert_array_equal(read_images([picture], (4, 4), 1, invert=True), 0)


@pytest.mark.parametrize("damage", ["missing", "text", "truncated"])
def test_image_that_cannot_be_read_is_named(picture: Path, damage: str) -> None:
    if damage == "missing":
        picture.unlink()
    elif damage == "text":
        picture.write_text("no image")
    else:
        picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(CommandError, match=r"picture\.png: "):
        read_images([picture], (4, 4), 1, invert=False)


def test_image_is_grey_or_in_colour_as_the_network_reads_it(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pillow.new("RGB", (5, 3), (255, 128, 0)).save(tmp_path / "orange.png")
    images = read_images([tmp_path / "orange.png"], (2, 2), 3, invert=False)
    assert images.shape == (1, 3, 2, 2)
    assert images[0].reshape(3, 4).T.tolist() == [[255, 128, 0]] * 4
    assert read_images([tmp_path / "orange.png"], (2, 2), 1, invert=False).shape == (1, 1, 2, 2)
    with pytest.raises(CommandError, match="reads 4 channels"):
        read_images([tmp_path / "orange.png"], (2, 2), 4, invert=False)


def test_image_of_other_proportions_covers_the_size(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.zeros((4, 12), np.uint8)
    pixels[:, 4:8] = 200
    pillow.fromarray(pixels).save(tmp_path / "wide.png")
    assert (read_images([tmp_path / "wide.png"], (4, 4), 1, invert=False) == 200).all()


def test_image_of_16_bits_is_refused(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pillow.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(CommandError, match="expected 8 bits per channel"):
        read_images([tmp_path / "deep.png"], (4, 4), 1, invert=False)
