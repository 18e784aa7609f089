"""IDX files: the array format of MNIST (LeCun, Cortes and Burges), plain or gzipped.

A file is two zero bytes, one byte for the element type, one for the number of dimensions, each
dimension as a big-endian uint32, then the elements, big-endian, last dimension fastest.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(np.int16),
    0x0C: np.dtype(np.int32),
    0x0D: np.dtype(np.float32),
    0x0E: np.dtype(np.float64),
}
_MAX_RANK = 32  # what every NumPy takes
_MAX_BYTES = 2**63 - 1
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


class DataError(ValueError):
    """A data file that does not hold what it should: names the file, what came and what was expected."""


def read_idx(path: str | os.PathLike[str]) -> np.ndarray[Any, Any]:
    """Reads one IDX array in native byte order; gzip is recognised by its first bytes, not by the name.

    Memory follows what the file really holds, whatever its header claims.

    Raises:
        DataError: the file is not IDX, is corrupt, truncated, or has bytes behind the array.
        OSError: the file is missing or can't be read.
    """
    path = Path(path)
    with open(path, "rb") as raw:
        zipped = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        if not zipped:
            return _read(raw, path)
        try:
            with gzip.GzipFile(fileobj=raw) as unzipped:
                return _read(unzipped, path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: broken gzip data: {error}") from error


def write_idx(path: str | os.PathLike[str], array: np.ndarray[Any, Any]) -> None:
    """Writes `array` as IDX, gzipped where the name ends in .gz; the same array gives the same bytes.

    Raises:
        TypeError: an element type that IDX does not have.
        ValueError: more dimensions, or larger ones, than the format can say.
    """
    code = next((code for code, dtype in _DTYPES.items() if dtype == array.dtype), None)
    if code is None:
        raise TypeError(
            f"IDX has no element type {array.dtype}; it has {', '.join(map(str, _DTYPES.values()))}"
        )
    if not 1 <= array.ndim <= _MAX_RANK or any(extent >= 2**32 for extent in array.shape):
        raise ValueError(f"IDX takes 1 to {_MAX_RANK} dimensions below 2**32, not {array.shape}")
    content = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content += array.astype(array.dtype.newbyteorder(">")).tobytes()
    path = Path(path)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _read(file: BinaryIO | gzip.GzipFile, path: Path) -> np.ndarray[Any, Any]:
    dtype, shape = _read_header(file, path)
    expected = math.prod(shape) * dtype.itemsize
    if expected > _MAX_BYTES:
        raise DataError(f"{path}: header claims the impossible shape {shape} of {dtype}")
    content = _read_at_most(file, expected + 1)
    if len(content) < expected:
        raise DataError(
            f"{path}: truncated: {len(content):,} bytes of elements, "
            f"expected {expected:,} for {shape} {dtype}"
        )
    if len(content) > expected:
        raise DataError(f"{path}: more bytes than the {expected:,} expected for {shape} {dtype}")
    return np.frombuffer(content, dtype.newbyteorder(">")).reshape(shape).astype(dtype, copy=False)


def _read_header(file: BinaryIO | gzip.GzipFile, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: truncated: {len(magic)} bytes, expected an IDX header of at least 8")
    zeros, code, rank = struct.unpack(">HBB", magic)
    if zeros != 0 or code not in _DTYPES or not 1 <= rank <= _MAX_RANK:
        raise DataError(
            f"{path}: not an IDX file: starts with {magic.hex(' ')}, expected 00 00, an element type "
            f"(08, 09, 0b, 0c, 0d or 0e) and 1 to {_MAX_RANK} dimensions"
        )
    extents = file.read(4 * rank)
    if len(extents) < 4 * rank:
        raise DataError(
            f"{path}: truncated: header ends after {4 + len(extents)} bytes, expected {4 + 4 * rank}"
        )
    return _DTYPES[code], struct.unpack(f">{rank}I", extents)


def _read_at_most(file: BinaryIO | gzip.GzipFile, limit: int) -> bytearray:
    """Up to `limit` bytes, grown as they come, so that a lying header allocates nothing."""
    content = bytearray()
    while len(content) < limit:
        chunk = file.read(min(_CHUNK, limit - len(content)))
        if not chunk:
            break
        content += chunk
    return content
