"""Datasets by name, folder (four IDX files with MNIST's names) or file (.npz)."""

from __future__ import annotations

import difflib
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.data.idx import DataError, read_idx
from fastcnn.data.loader import Loader
from fastcnn.data.preprocessing import MeanImage, Preprocessing

Array = np.ndarray[Any, Any]

NAMES = ("digits", "mnist", "fashion-mnist")
"""What `load` knows by name; "digits" comes with the package, the others are found through FASTCNN_DATA."""

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017, table 2.
_CLASS_NAMES = {
    "fashion-mnist": (
        "t-shirt/top", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Split:
    """Images uint8 (n, height, width), 255 white, or in colour (n, channels, height, width), and integer
    labels (n)."""

    images: np.ndarray[Any, np.dtype[np.uint8]]
    labels: np.ndarray[Any, np.dtype[Any]]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Training and test images of one classification problem."""

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def loaders(
        self, input_shape: tuple[int, int, int], batch_size: int = 64, *, seed: int = 0
    ) -> tuple[Loader, Loader]:
        """Training batches, shuffled, and test batches in order, for a network that reads `input_shape`.

        Both are normalised with the training images' mean and standard deviation.
        """
        return self.batches(Preprocessing.fit(self.train.images, input_shape), batch_size, seed=seed)

    def batches(
        self, prepare: Preprocessing | MeanImage, batch_size: int = 64, *, seed: int = 0
    ) -> tuple[Loader, Loader]:
        """As `loaders`, with images made inputs by `prepare`."""
        return (
            Loader(
                self.train.images, self.train.labels, batch_size, shuffle=True, seed=seed, transform=prepare
            ),
            Loader(self.test.images, self.test.labels, batch_size, transform=prepare),
        )


def load(name_or_folder: str | os.PathLike[str] = "digits") -> Dataset:
    """Loads a dataset by name, from a folder that holds the four IDX files, plain or .gz, or from a file.

    "digits" is always the embedded set; of another name and a folder so called, the folder is taken. A file
    ends in .npz and holds x_train, y_train, x_test and y_test: images uint8 (n, height, width),
    (n, height, width, 3) or (n, 3, height, width), and integer labels (n).

    Raises:
        FileNotFoundError: no such name, folder or file, or files are missing in it.
        DataError: a file is broken, or the files don't fit together.
    """
    if str(name_or_folder).endswith(".npz"):
        return _load_npz(Path(name_or_folder).expanduser())
    folder = _find(name_or_folder)
    paths = {part: [_file(folder, stem) for stem in stems] for part, stems in _FILES.items()}
    missing = [
        stem
        for part, stems in _FILES.items()
        for stem, path in zip(stems, paths[part], strict=True)
        if path is None
    ]
    if missing:
        raise FileNotFoundError(f"{folder}: missing {', '.join(missing)} (each may end in .gz)")
    train = _read_split(*(path for path in paths["train"] if path))
    test = _read_split(*(path for path in paths["test"] if path))
    return _dataset(folder.name, train, test, [*map(str, paths["train"]), *map(str, paths["test"])])


def _dataset(name: str, train: Split, test: Split, sources: list[str]) -> Dataset:
    """`sources` says where training images and labels, and test images and labels, come from."""
    if len(train) == 0:
        raise DataError(f"{sources[1]}: no training images")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{sources[2]}: images of {test.images.shape[1:]}, expected {train.images.shape[1:]} "
            "as in training"
        )
    num_classes = int(train.labels.max()) + 1
    if len(test) and test.labels.max() >= num_classes:
        raise DataError(
            f"{sources[3]}: label {test.labels.max()}, expected below {num_classes} as in training"
        )
    class_names: tuple[str, ...] = _CLASS_NAMES.get(name, ())
    if len(class_names) != num_classes:
        class_names = tuple(map(str, range(num_classes)))
    return Dataset(name, train, test, class_names)


def _find(name_or_folder: str | os.PathLike[str]) -> Path:
    if name_or_folder == "digits":
        return Path(__file__).parent / "digits"
    path = Path(name_or_folder).expanduser()
    if path.is_dir():
        return path.resolve()
    root = os.environ.get("FASTCNN_DATA")
    if name_or_folder not in NAMES:
        near = difflib.get_close_matches(str(name_or_folder), NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known datasets: {', '.join(NAMES)}"
        raise FileNotFoundError(f"no dataset or folder {str(name_or_folder)!r}{hint}")
    if not root:
        raise FileNotFoundError(
            f"{name_or_folder} is not part of the package: give its folder, or set FASTCNN_DATA to the "
            f"folder that holds {name_or_folder}/"
        )
    folder = Path(root).expanduser() / str(name_or_folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder (FASTCNN_DATA is {root})")
    return folder


def _file(folder: Path, stem: str) -> Path | None:
    return next((path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()), None)


def _read_split(images_path: Path, labels_path: Path) -> Split:
    images = read_idx(images_path)
    labels = read_idx(labels_path)
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        raise DataError(f"{images_path}: {images.shape} {images.dtype}, expected (n, height, width) uint8")
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(f"{labels_path}: {labels.shape} {labels.dtype}, expected (n) uint8")
    if len(labels) != len(images):
        raise DataError(
            f"{labels_path}: {len(labels):,} labels, expected {len(images):,} as {images_path.name}"
        )
    return Split(images, labels)


def _load_npz(path: Path) -> Dataset:
    names = [f"{what}_{part}" for part in _FILES for what in ("x", "y")]
    with open(path, "rb") as file:  # what is missing is said as of any file
        try:
            with np.load(file, allow_pickle=False) as archive:
                x_train, y_train, x_test, y_test = (archive[name] for name in names)
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: expected an .npz of {', '.join(names)}: {error}") from error
    sources = [f"{path}: {name}" for name in names]
    train = _split(x_train, y_train, *sources[:2])
    return _dataset(path.stem, train, _split(x_test, y_test, *sources[2:]), sources)


def _split(images: Array, labels: Array, images_source: str, labels_source: str) -> Split:
    """Arrays of an .npz file as they are in a Split."""
    if images.ndim == 4 and images.shape[-1] in (1, 3) and images.shape[1] not in (1, 3):
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim not in (3, 4) or images.dtype != np.uint8 or 0 in images.shape[1:]:
        raise DataError(
            f"{images_source}: {images.shape} {images.dtype}, expected (n, height, width), "
            "(n, height, width, 3) or (n, 3, height, width) uint8"
        )
    labels = labels.reshape(-1) if labels.shape == (len(images), 1) else labels
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
        raise DataError(f"{labels_source}: {labels.shape} {labels.dtype}, expected (n) integers from 0 on")
    if len(labels) != len(images):
        raise DataError(f"{labels_source}: {len(labels):,} labels, expected {len(images):,}")
    return Split(images, labels)
