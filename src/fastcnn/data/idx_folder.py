"""MNIST and what has its four IDX files, such as Fashion-MNIST."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fastcnn.data.dataset import Dataset, Split, make_dataset
from fastcnn.data.idx import DataError, read_idx

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


def is_idx_folder(folder: Path) -> bool:
    """Whether one of the four files is in the folder, plain or as .gz."""
    return any(_file(folder, stem) for stems in _FILES.values() for stem in stems)


def load_idx_folder(folder: Path) -> Dataset:
    """The four files, each plain or as .gz.

    Raises:
        FileNotFoundError: some are missing.
        DataError: a file is broken, or the files don't fit together.
    """
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
    sources = [*map(str, paths["train"]), *map(str, paths["test"])]
    dataset = make_dataset(folder.name, train, test, sources)
    class_names: tuple[str, ...] = _CLASS_NAMES.get(folder.name, ())
    return replace(dataset, class_names=class_names) if len(class_names) == dataset.num_classes else dataset


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
