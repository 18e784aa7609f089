"""CIFAR's binary files; pickles are refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from fastcnn.data import DataError, load


def write_records(path: Path, labels: list[int], coarse: int | None = None) -> np.ndarray:
    images = np.random.default_rng(len(labels)).integers(0, 256, (len(labels), 3072), np.uint8)
    before = [] if coarse is None else [np.full((len(labels), 1), coarse, np.uint8)]
    columns = [*before, np.array(labels, np.uint8)[:, None], images]
    path.write_bytes(np.concatenate(columns, axis=1).tobytes())
    return images.reshape(-1, 3, 32, 32)


def test_cifar10_files_are_read_in_order(tmp_path: Path) -> None:
    first = write_records(tmp_path / "data_batch_1.bin", [0, 2, 1])
    second = write_records(tmp_path / "data_batch_2.bin", [2, 0])
    test = write_records(tmp_path / "test_batch.bin", [1])
    dataset = load(tmp_path)
    np.testing.assert_array_equal(dataset.train.images, np.concatenate([first, second]))
    np.testing.assert_array_equal(dataset.test.images, test)
    assert dataset.train.labels.tolist() == [0, 2, 1, 2, 0] and dataset.test.labels.tolist() == [1]
    assert dataset.class_names == ("0", "1", "2")


def test_classes_have_the_names_of_the_text_file(tmp_path: Path) -> None:
    write_records(tmp_path / "data_batch_1.bin", [0, 1])
    write_records(tmp_path / "test_batch.bin", [1])
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n\n")
    assert load(tmp_path).class_names == ("airplane", "automobile", "bird")
    (tmp_path / "batches.meta.txt").write_text("airplane\n")
    with pytest.raises(DataError, match=r"label 1, expected below 1, the number of class names"):
        load(tmp_path)


def test_cifar100_has_its_fine_classes(tmp_path: Path) -> None:
    images = write_records(tmp_path / "train.bin", [7, 9], coarse=1)
    write_records(tmp_path / "test.bin", [0], coarse=1)
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"class{i}" for i in range(100)))
    dataset = load(tmp_path)
    assert dataset.train.labels.tolist() == [7, 9] and dataset.num_classes == 100
    np.testing.assert_array_equal(dataset.train.images, images)


def test_cut_file_is_refused(tmp_path: Path) -> None:
    write_records(tmp_path / "test_batch.bin", [0])
    write_records(tmp_path / "data_batch_1.bin", [0, 1])
    content = (tmp_path / "data_batch_1.bin").read_bytes()
    (tmp_path / "data_batch_1.bin").write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"data_batch_1.bin: 6,145 bytes, expected a multiple of 3,073"):
        load(tmp_path)


def test_missing_test_file_is_named(tmp_path: Path) -> None:
    write_records(tmp_path / "data_batch_1.bin", [0])
    with pytest.raises(FileNotFoundError, match=r"test_batch\.bin"):
        load(tmp_path)


@pytest.mark.parametrize("names", [("data_batch_1", "batches.meta"), ("train", "test", "meta")])
def test_pickles_are_refused_unread(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(pickle.dumps({"data": [1]}))
    with pytest.raises(DataError, match="Python pickles, which can run any code"):
        load(tmp_path)


def test_folder_without_data_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no dataset in this folder; expected IDX files"):
        load(tmp_path)
