"""Datasets by name and by folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fastcnn.data import DataError, load, write_idx


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((6, 5, 4), np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([0, 1, 2, 0, 1, 2], np.uint8))
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", np.zeros((2, 5, 4), np.uint8))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([2, 0], np.uint8))
    return tmp_path


def test_digits_are_embedded() -> None:
    digits = load()
    assert digits.name == "digits"
    assert digits.train.images.shape == (1437, 8, 8)
    assert digits.test.images.shape == (360, 8, 8)
    assert digits.class_names == tuple("0123456789")
    assert np.bincount(digits.test.labels).tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]


def test_digits_are_those_of_scikit_learn() -> None:
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    original = sklearn_datasets.load_digits()
    test = np.zeros(len(original.target), bool)
    test[np.argsort(original.target, kind="stable")[::5]] = True
    digits = load("digits")
    for split, chosen in ((digits.train, ~test), (digits.test, test)):
        np.testing.assert_array_equal(split.labels, original.target[chosen])
        np.testing.assert_array_equal(np.round(split.images / 255 * 16), original.images[chosen])


def test_folder_with_plain_and_zipped_files(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.name == folder.name
    assert (len(dataset.train), len(dataset.test), dataset.num_classes) == (6, 2, 3)


def test_loaders_yield_network_inputs(folder: Path) -> None:
    train, test = load(folder).loaders((1, 10, 8), 4)
    assert [x.shape for x, _ in train] == [(4, 1, 10, 8), (2, 1, 10, 8)]
    assert [y.tolist() for _, y in test] == [[2, 0]]


def test_name_is_found_through_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder / "root"
    root.mkdir()
    (root / "mnist").symlink_to(folder)
    monkeypatch.setenv("FASTCNN_DATA", str(root))
    monkeypatch.chdir(root.parent)
    assert len(load("mnist").train) == 6
    with pytest.raises(FileNotFoundError, match=r"root/fashion-mnist: no such folder; `fastcnn fetch"):
        load("fashion-mnist")


def test_name_without_the_environment_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FASTCNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="Or give the data's folder, or set FASTCNN_DATA"):
        load("mnist")


def test_unknown_name_suggests_the_near_one() -> None:
    with pytest.raises(FileNotFoundError, match="'fashon-mnist'; did you mean fashion-mnist"):
        load("fashon-mnist")
    with pytest.raises(FileNotFoundError, match="known datasets: digits, mnist, fashion-mnist, cifar10"):
        load("/no/such/folder")


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    (folder / "train-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="missing train-images-idx3-ubyte, t10k-images-idx3-ubyte"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((6, 5), np.uint8), r"expected \(n, height, width\) uint8"),
        ("train-images-idx3-ubyte", np.zeros((6, 5, 4), np.float32), r"expected \(n, height, width\) uint8"),
        ("train-images-idx3-ubyte", np.zeros((6, 0, 4), np.uint8), r"expected \(n, height, width\) uint8"),
        ("train-images-idx3-ubyte", np.zeros((7, 5, 4), np.uint8), "6 labels, expected 7"),
        ("train-images-idx3-ubyte", np.zeros((6, 4, 5), np.uint8), r"images of \(5, 4\), expected \(4, 5\)"),
        ("t10k-labels-idx1-ubyte", np.array([0, 3], np.uint8), "label 3, expected below 3"),
        ("t10k-labels-idx1-ubyte", np.array([[0, 1]], np.uint8), r"expected \(n\) uint8"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(
    folder: Path, name: str, array: np.ndarray, message: str
) -> None:
    write_idx(folder / name, array)
    with pytest.raises(DataError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


def test_no_training_images_is_an_error(folder: Path) -> None:
    write_idx(folder / "train-images-idx3-ubyte", np.zeros((0, 5, 4), np.uint8))
    write_idx(folder / "train-labels-idx1-ubyte.gz", np.zeros(0, np.uint8))
    with pytest.raises(DataError, match="no training images"):
        load(folder)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_published_files_are_read(name: str) -> None:
    root = os.environ.get("FASTCNN_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"set FASTCNN_DATA to a folder that holds {name}/")
    dataset = load(Path(root) / name)
    assert dataset.train.images.shape == (60000, 28, 28)
    assert dataset.test.images.shape == (10000, 28, 28)
    assert dataset.num_classes == 10
    mean = {"mnist": 0.1307, "fashion-mnist": 0.2860}[name]
    assert dataset.train.images.mean() / 255 == pytest.approx(mean, abs=5e-5)


def test_fashion_mnist_classes_have_names(folder: Path) -> None:
    root = folder / "fashion-mnist"
    root.mkdir()
    for path in list(folder.glob("*ubyte*")):
        path.rename(root / path.name)
    write_idx(root / "train-labels-idx1-ubyte", np.array([0, 1, 2, 9, 1, 2], np.uint8))
    (root / "train-labels-idx1-ubyte.gz").unlink()
    assert load(root).class_names[9] == "ankle boot"
