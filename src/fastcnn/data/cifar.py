"""The binary files of CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning multiple layers of features from tiny
images", 2009).

A file is a row of records: one byte for the label, in CIFAR-100 two, of 20 coarse and of 100 fine classes,
then 32 x 32 pixels, all the reds, then greens, then blues, each row by row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastcnn.data.dataset import Dataset, Split, make_dataset
from fastcnn.data.idx import DataError

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


def is_cifar(folder: Path) -> bool:
    """Whether the folder holds files with CIFAR's names, be they complete or not."""
    return any(folder.glob("data_batch_*.bin")) or (folder / "train.bin").is_file()


def load_cifar(folder: Path) -> Dataset:
    """CIFAR-10 or, with its fine classes, CIFAR-100; names of the classes from the text file beside the data.

    Raises:
        FileNotFoundError: no test file.
        DataError: a file that isn't made of whole records of known classes.
    """
    batches = sorted(folder.glob("data_batch_*.bin"))
    if batches:
        train, test, names = batches, folder / "test_batch.bin", folder / "batches.meta.txt"
    else:
        train, test, names = [folder / "train.bin"], folder / "test.bin", folder / "fine_label_names.txt"
    class_names = _read_names(names)
    label_bytes = 1 if batches else 2
    sources = [str(train[0])] * 2 + [str(test)] * 2
    return make_dataset(
        folder.name, _read(train, label_bytes), _read([test], label_bytes), sources, class_names
    )


def _read(paths: list[Path], label_bytes: int) -> Split:
    records = np.concatenate([_records(path, label_bytes + _PIXELS) for path in paths])
    images = np.ascontiguousarray(records[:, label_bytes:]).reshape(-1, *_SHAPE)
    return Split(images, records[:, label_bytes - 1].copy())


def _records(path: Path, length: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if content.size % length:
        raise DataError(f"{path}: {content.size:,} bytes, expected a multiple of {length:,}, one per image")
    return content.reshape(-1, length)


def _read_names(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
