"""Datasets as .npz files of NumPy arrays."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.data.dataset import Dataset, Split, make_dataset
from fastcnn.data.idx import DataError

Array = np.ndarray[Any, Any]
_NAMES = ("x_train", "y_train", "x_test", "y_test")


def load_npz(path: Path) -> Dataset:
    """x_train, y_train, x_test and y_test of an .npz file; nothing pickled is read.

    Raises:
        OSError: the file is missing or can't be read.
        DataError: it holds something else, or the arrays don't fit together.
    """
    with open(path, "rb") as file:  # what is missing is said as of any file
        try:
            with np.load(file, allow_pickle=False) as archive:
                x_train, y_train, x_test, y_test = (archive[name] for name in _NAMES)
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: expected an .npz of {', '.join(_NAMES)}: {error}") from error
    sources = [f"{path}: {name}" for name in _NAMES]
    train = _split(x_train, y_train, *sources[:2])
    return make_dataset(path.stem, train, _split(x_test, y_test, *sources[2:]), sources)


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
