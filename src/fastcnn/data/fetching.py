"""Downloading datasets: whole and checked, or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fastcnn.data.datasets import data_root
from fastcnn.data.sources import SOURCES, FetchError, Progress, RemoteFile, Source, sha256


def fetch(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
    sources: Mapping[str, Source] | None = None,
) -> Path:
    """Downloads a dataset, so that `load(name)` finds it; returns its folder.

    A file is there under its name only when its size and SHA-256 are those published (`fastcnn.data.sources`
    has them, and where they come from); until then it ends in .partial, and the next call goes on with it. Of
    an archive only the files that are known to be in it are unpacked. What is there already is not
    downloaded again.

    Args:
        name: "mnist", "fashion-mnist", "cifar10" or "cifar100".
        root: the folder in which a folder `name` is made; `data_root()` when left out.
        progress: called with the name of the file, bytes so far, and all its bytes.
        sources: other places and files than `fastcnn.data.sources.SOURCES`.

    Raises:
        ValueError: no such dataset.
        FetchError: no mirror has the file as it was published; another file is in its place.
        OSError: the folder can't be written.
    """
    sources = SOURCES if sources is None else sources
    if name not in sources:
        raise ValueError(f"no dataset {name!r} to fetch; there are {', '.join(sources)}")
    from fastcnn.data.download import download  # urllib and ssl cost milliseconds

    folder = (data_root() if root is None else Path(root).expanduser()) / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in sources[name].files:
        if not _is_there(file, folder):
            path = folder / file.name
            download(file, sources[name].mirrors, path, progress)
            if file.members:
                _unpack(path, file, folder)
    return folder


def _is_there(file: RemoteFile, folder: Path) -> bool:
    if file.members:
        return all((folder / PurePosixPath(member).name).is_file() for member in file.members)
    path = folder / file.name
    if not path.exists():
        return False
    if path.stat().st_size != file.size or sha256(path) != file.sha256:
        raise FetchError(f"{path} is not the file that was published; remove it to fetch it")
    return True


def _unpack(path: Path, file: RemoteFile, folder: Path) -> None:
    from fastcnn.data.unpack import UnpackError, unpack  # so does tarfile

    try:
        unpack(path, file.members, folder)
    except UnpackError as error:
        raise FetchError(f"{path}: {error}") from error
    path.unlink()
