"""Folders of images: a folder per class, whose name is the class's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastcnn.data.dataset import Dataset, Split, make_dataset
from fastcnn.data.idx import DataError
from fastcnn.data.image_files import SUFFIXES, read_images

_TEST_NAMES = ("test", "val", "valid", "validation")


def is_image_folder(folder: Path) -> bool:
    """Whether there are folders in the folder."""
    return bool(_folders(folder))


def load_image_folder(folder: Path, image_size: int, test_fraction: float) -> Dataset:
    """FOLDER/train/CLASS/*.jpg and FOLDER/test/CLASS/*.jpg, or FOLDER/CLASS/*.jpg; see `load`.

    Raises:
        ImportError: Pillow is missing.
        DataError: a class without training images, an unknown class among the test images, a broken image.
    """
    train_folder = folder / "train"
    split = train_folder.is_dir()
    test_folder = next((folder / name for name in _TEST_NAMES if split and (folder / name).is_dir()), None)
    train_paths = _images_of_classes(train_folder if split else folder)
    test_paths = {} if test_folder is None else _images_of_classes(test_folder)
    for name in test_paths:
        if name not in train_paths:
            raise DataError(f"{test_folder}: class {name!r} is not among the training images' classes")

    class_names = tuple(train_paths)
    paths, labels = [], []
    for of_class in (train_paths, test_paths):
        for name, found in of_class.items():
            paths += found
            labels += [class_names.index(name)] * len(found)
    both = Split(read_images(paths, image_size), np.array(labels, np.int64))
    if test_folder is None:
        train, test = both.hold_out(test_fraction)
    else:
        count = sum(map(len, train_paths.values()))
        train, test = both.take(slice(count)), both.take(slice(count, None))
    return make_dataset(folder.name, train, test, [str(folder)] * 4, class_names)


def _images_of_classes(folder: Path) -> dict[str, list[Path]]:
    """Class names in order, and the paths of their images in order."""
    result = {}
    for sub in _folders(folder):
        found = sorted(path for path in sub.iterdir() if path.suffix.lower() in SUFFIXES)
        if not found:
            raise DataError(f"{sub}: no images ({', '.join(sorted(SUFFIXES))}) in this folder of a class")
        result[sub.name] = found
    if not result:
        raise DataError(f"{folder}: no folders of classes in it")
    return result


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
