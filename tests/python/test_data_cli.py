"""Augmentation, workers and balance on the command line, and what a step waits for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn import cli, data
from fastcnn.cli.augment import crops, make_augmentation
from fastcnn.cli.parser import UsageError


def make_dataset(size: int = 32, channels: int = 3) -> data.Dataset:
    shape = (12, channels, size, size) if channels > 1 else (12, size, size)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    split = data.Split(images, np.arange(12) % 4)
    return data.Dataset("random", split, split, tuple("abcd"))


def augmentation(text: str, dataset: data.Dataset, size: int = 32) -> list[data.Augmentation]:
    return make_augmentation(text, dataset, data.Preprocessing.fit(dataset.train.images, (3, size, size)))


def test_names_make_what_they_say() -> None:
    dataset = make_dataset()
    made = augmentation("flip,crop,flip=0.25,jitter=0.3,pca,cutout=5,mixup", dataset)
    prepare = data.Preprocessing.fit(dataset.train.images, (3, 32, 32))
    assert made == [
        data.RandomHorizontalFlip(0.5),
        data.RandomCrop((32, 32), 4),
        data.RandomHorizontalFlip(0.25),
        data.ColorJitter(0.3, 0.3, 0.3),
        data.PCANoise.fit(dataset.train.images),
        data.Cutout(5, (255 * np.array(prepare.mean)).tolist()),
        data.Mixup(4, 0.2),
    ]
    assert make_augmentation(None, dataset, prepare) == []


def test_cutout_is_filled_with_what_becomes_0() -> None:
    dataset = make_dataset()
    for prepare in (
        data.Preprocessing.fit(dataset.train.images, (3, 32, 32)),
        data.MeanImage(np.full((3, 32, 32), 100, np.float32)),
    ):
        (cutout,) = make_augmentation("cutout=80", dataset, prepare)
        images = dataset.train.images.astype(np.float32)
        cut, _ = cutout(images, dataset.train.labels, data.Draws(0, 0, np.arange(12)))
        np.testing.assert_allclose(prepare(cut), 0, atol=1e-4)


@pytest.mark.parametrize(
    ("image", "network", "text", "window", "is_cropped"),
    [
        (32, 32, "crop", data.RandomCrop((32, 32), 4), True),
        (32, 32, "crop=2", data.RandomCrop((32, 32), 2), True),
        (40, 32, "crop", data.RandomCrop((32, 32), 0), True),
        (28, 32, "crop", data.RandomCrop((28, 28), 4), False),
    ],
)
def test_crop_is_of_the_networks_size_or_of_the_images(
    image: int, network: int, text: str, window: data.RandomCrop, is_cropped: bool
) -> None:
    dataset = make_dataset(image)
    assert augmentation(text, dataset, network) == [window]
    assert crops(text, dataset, (3, network, network)) == is_cropped
    assert not crops("flip", dataset, (3, network, network))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop", "--augment flop: no such augmentation; did you mean flip"),
        ("sharpen", "known: crop, flip, jitter, pca, cutout, mixup"),
        ("flip,", "no such augmentation"),
        ("flip=often", "expected a number, not 'often'"),
        ("cutout=-1", "expected a number of at least 0"),
        ("jitter=nan", "expected a number of at least 0"),
        ("pca", "the images of random are not in colour"),
    ],
)
def test_wrong_names_and_numbers_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        augmentation(text, make_dataset(channels=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pillow = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "pictures" / ("dark" if i % 4 else "light") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (30 + i, 70 - i, 3)
        pixels = random.integers(0, 100, size, np.uint8) + np.uint8(0 if i % 4 else 150)
        pillow.fromarray(pixels).save(path)
    return tmp_path


def run_json(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    code = cli.main([*map(str, argv), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def test_images_of_several_sizes_are_trained_on_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--epochs", 6, "--augment", "crop,flip,jitter", "--balanced", "--batch-size", 8]
    results = [
        run_json(
            capsys, "train", "cifar_quick", "--data", folder / "pictures", *options,
            "--workers", workers, "--out", folder / f"run{workers}",
        )
        for workers in (0, 3)
    ]  # fmt: skip
    assert results[0]["test_accuracy"] == 1.0
    assert {**results[0], "seconds": 0, "images_per_second": 0, "out": ""} == {
        **results[1], "seconds": 0, "images_per_second": 0, "out": "",
    }  # fmt: skip
    assert run_json(capsys, "eval", folder / "run0")["test_accuracy"] == 1.0
    image = next((folder / "pictures" / "light").iterdir())
    (prediction,) = run_json(capsys, "predict", folder / "run0", image)["predictions"]
    assert prediction["class"] == "light"


def test_missing_pillow_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert cli.main(["train", "--data", str(folder / "pictures")]) == 1
    assert "pip install 'fastcnn[images]'" in capsys.readouterr().err


def test_time_says_how_long_a_step_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastcnn.cli.time._SECONDS", 0.1)
    options = ["--data", "digits", "--batch-size", 32, "--augment", "crop=1"]
    result = run_json(capsys, "time", "lenet", *options)
    assert result["workers"] == 1 and result["batch_size"] == 32 and result["steps"] >= 10
    assert result["step_ms"] > 0 and result["make_ms"] > 0 and 0 <= result["wait_share"] < 1
    assert result["images_per_second"] > 0
    assert cli.main([*map(str, ["time", "lenet", *options])]) == 0
    out = capsys.readouterr().out
    assert "ms waiting for the batch" in out and "1 threads make them ahead" in out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--augment", "flip"], 2, "--augment needs --data"),
        (["--workers", "2"], 2, "--workers needs --data"),
        (
            ["--data", "digits", "--batch-size", "2000"],
            1,
            "digits has 1,437 training images, fewer than a batch",
        ),
        (["--data", "digits", "--augment", "pca"], 2, "the images of digits are not in colour"),
    ],
)
def test_time_refuses_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    assert cli.main(["time", "lenet", *options]) == code
    assert message in capsys.readouterr().err
