"""The one door to datasets: by name, folder or file."""

from __future__ import annotations

import os
from pathlib import Path

from fastcnn._names import did_you_mean
from fastcnn.ceilings import cache_folder
from fastcnn.data.cifar import is_cifar, load_cifar
from fastcnn.data.dataset import Dataset
from fastcnn.data.idx import DataError
from fastcnn.data.idx_folder import is_idx_folder, load_idx_folder
from fastcnn.data.image_folder import is_image_folder, load_image_folder
from fastcnn.data.npz import load_npz

NAMES = ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100")
"""What `load` knows by name; "digits" comes with the package, the others are looked for in `data_root()`."""


def load(
    name_or_folder: str | os.PathLike[str] = "digits", *, image_size: int = 256, test_fraction: float = 0.2
) -> Dataset:
    """Loads a dataset by name, from a folder or from a file.

    "digits" is always the embedded set; of another name and a folder so called, the folder is taken.

    A folder holds one of:
        MNIST's four IDX files, plain or .gz;
        CIFAR-10's data_batch_*.bin and test_batch.bin, or CIFAR-100's train.bin and test.bin;
        images (install the extra `images`), as train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg, of
        which a share is made the test part. Images of one size that fit into 2 GiB are held in memory; others
        stay in their files, and are squares when read: resized until the shorter side fits, the centre of
        that.
    A file ends in .npz and holds x_train, y_train, x_test and y_test: images uint8 (n, height, width),
    (n, height, width, 3) or (n, 3, height, width), and integer labels (n).

    Args:
        image_size: height and width of images that stay in their files.
        test_fraction: of each class, which makes the test part of a folder of images that has none; the same
            images each time.

    Raises:
        FileNotFoundError: no such name, folder or file, or files are missing in it.
        DataError: a file is broken, or the files don't fit together, or they are pickles, which can run any
            code when they are read.
        ImportError: images without Pillow.
    """
    if str(name_or_folder).endswith(".npz"):
        return load_npz(Path(name_or_folder).expanduser())
    folder = _find(name_or_folder)
    if is_idx_folder(folder):
        return load_idx_folder(folder)
    if is_cifar(folder):
        return load_cifar(folder)
    _refuse_pickles(folder)
    if is_image_folder(folder):
        return load_image_folder(folder, image_size, test_fraction)
    raise FileNotFoundError(
        f"{folder}: no dataset in this folder; expected IDX files (train-images-idx3-ubyte ...), CIFAR's "
        "binary files (data_batch_1.bin ... or train.bin) or folders of images (train/CLASS/*.jpg or "
        "CLASS/*.jpg)"
    )


def data_root() -> Path:
    """The folder that holds datasets by their names: FASTCNN_DATA, or `data` in the user's cache folder."""
    root = os.environ.get("FASTCNN_DATA")
    return Path(root).expanduser() if root else cache_folder() / "data"


def _find(name_or_folder: str | os.PathLike[str]) -> Path:
    if name_or_folder == "digits":
        return Path(__file__).parent / "digits"
    path = Path(name_or_folder).expanduser()
    if path.is_dir():
        return path.resolve()
    if name_or_folder not in NAMES:
        hint = did_you_mean(str(name_or_folder), NAMES) or f"; known datasets: {', '.join(NAMES)}"
        raise FileNotFoundError(f"no dataset or folder {str(name_or_folder)!r}{hint}")
    folder = data_root() / str(name_or_folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; `fastcnn fetch {name_or_folder}` makes it. Or give the data's "
            f"folder, or set FASTCNN_DATA to the folder that holds {name_or_folder}/"
        )
    return folder


def _refuse_pickles(folder: Path) -> None:
    """cuda-convnet's batches, which CIFAR's Python version has too."""
    names = ("data_batch_1", "batches.meta") if not (folder / "meta").is_file() else ("train", "meta")
    if any((folder / name).is_file() for name in names):
        raise DataError(
            f"{folder}: batch files of cuda-convnet ({', '.join(names)}) are Python pickles, which can run "
            "any code when they are read; take CIFAR's binary version (*.bin), images in folders, or an .npz"
        )
