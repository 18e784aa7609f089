"""Taking known files out of an archive that nobody trusts."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

_MAX_ENTRIES = 1000


class UnpackError(ValueError):
    """An archive that is broken, hostile, or lacks a file."""


def unpack(archive: Path, members: Mapping[str, int], folder: Path) -> None:
    """Writes the named members of a .tar.gz into `folder`, by the last part of their paths, all or none.

    No path in the archive decides where a file goes. An archive is refused as a whole for an entry that is
    neither a plain file nor a folder, points out of it, comes twice or is larger than the largest file
    wanted, whether it is wanted or not; and for more than 1000 entries.

    Args:
        members: paths in the archive, and how many bytes each file may have at most.

    Raises:
        UnpackError: the archive is broken or refused, or a member is missing.
    """
    partial = {name: folder / f"{PurePosixPath(name).name}.partial" for name in members}
    try:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                _extract(tar, members, partial, folder)
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.filename is not None:  # of writing, not of the archive
                raise
            raise UnpackError(f"broken archive: {error}") from error
        for path in partial.values():
            os.replace(path, path.with_suffix(""))
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def _extract(
    tar: tarfile.TarFile, members: Mapping[str, int], partial: Mapping[str, Path], folder: Path
) -> None:
    seen: set[str] = set()
    for entry in tar:
        _check(entry, max(members.values()), folder)
        if entry.name in seen or len(seen) == _MAX_ENTRIES:
            raise UnpackError(f"{entry.name!r} comes twice, or there are too many entries")
        seen.add(entry.name)
        if entry.name not in members:
            continue
        source = tar.extractfile(entry) if entry.size <= members[entry.name] else None
        if source is None:
            raise UnpackError(f"{entry.name!r} is a folder, or larger than {members[entry.name]:,} bytes")
        with source, open(partial[entry.name], "wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
    missing = [name for name in members if name not in seen]
    if missing:
        raise UnpackError(f"missing in it: {', '.join(missing)}")


def _check(entry: tarfile.TarInfo, max_bytes: int, folder: Path) -> None:
    plain = entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not entry.issparse()
    if not plain and not entry.isdir():
        raise UnpackError(f"{entry.name!r} is neither a plain file nor a folder")
    path = PurePosixPath(entry.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in entry.name or "\0" in entry.name:
        raise UnpackError(f"{entry.name!r} points out of the archive")
    if entry.size > max_bytes:
        raise UnpackError(f"{entry.name!r} is larger than {max_bytes:,} bytes")
    if hasattr(tarfile, "data_filter"):  # from Python 3.10.12, 3.11.4 and 3.12 on
        tarfile.data_filter(entry, str(folder))
