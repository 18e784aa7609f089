"""IDX files: every element type comes back; a broken file is one clear error, never a crash."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcnn.data import DataError, read_idx, write_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
def test_every_element_type_comes_back(tmp_path: Path, dtype: str, suffix: str) -> None:
    array = (np.arange(24) - 5).astype(dtype).reshape(4, 1, 6)
    path = tmp_path / f"array{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == np.dtype(dtype) and back.dtype.isnative
    np.testing.assert_array_equal(back, array)


def test_layout_is_that_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "array"
    path.write_bytes(bytes([0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE]))
    np.testing.assert_array_equal(read_idx(path), np.array([[0x0102, -2]], np.int16))


def test_gzip_is_recognised_by_content(tmp_path: Path) -> None:
    write_idx(tmp_path / "array.gz", IMAGES)
    (tmp_path / "array.gz").rename(tmp_path / "array")
    np.testing.assert_array_equal(read_idx(tmp_path / "array"), IMAGES)


def test_empty_dimension_is_legal(tmp_path: Path) -> None:
    write_idx(tmp_path / "array", np.zeros((0, 28, 28), np.uint8))
    assert read_idx(tmp_path / "array").shape == (0, 28, 28)


def test_array_is_writable(tmp_path: Path) -> None:
    write_idx(tmp_path / "array", IMAGES)
    read_idx(tmp_path / "array")[:] = 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated: 0 bytes"),
        (b"\0\0\x08", "truncated: 3 bytes"),
        (b"PK\x03\x04", "not an IDX file: starts with 50 4b 03 04"),
        (b"\0\0\x07\x01\0\0\0\0", "not an IDX file"),
        (b"\0\0\x08\x00", "not an IDX file"),
        (b"\0\0\x08\xff", "not an IDX file"),
        (b"\0\0\x08\x02\0\0\0\x01", "header ends after 8 bytes, expected 12"),
        (b"\0\0\x08\x01\0\0\0\x03ab", r"truncated: 2 bytes of elements, expected 3 for \(3,\) uint8"),
        (b"\0\0\x08\x01\0\0\0\x03abcd", "more bytes than the 3 expected"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, "impossible shape"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_broken_file_is_named_with_what_came_and_what_was_expected(
    tmp_path: Path, content: bytes, message: str, zipped: bool
) -> None:
    path = tmp_path / "broken-idx"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_lying_header_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(b"\0\0\x08\x02" + struct.pack(">2I", 1 << 20, 1 << 20) + b"few")
    tracemalloc.start()
    with pytest.raises(DataError, match="truncated: 3 bytes"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_file_longer_than_its_header_is_not_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03" + bytes(64 << 20)))
    tracemalloc.start()
    with pytest.raises(DataError, match="more bytes"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_idx(tmp_path / "nothing-here")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), zipped=st.booleans())
def test_mutated_file_is_read_or_refused(tmp_path: Path, data: st.DataObject, zipped: bool) -> None:
    path = tmp_path / ("array.gz" if zipped else "array")
    write_idx(path, IMAGES)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_idx(path)
    except DataError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.complex64, np.bool_])
def test_unknown_element_type_is_not_written(tmp_path: Path, dtype: type) -> None:
    with pytest.raises(TypeError, match="IDX has no element type"):
        write_idx(tmp_path / "array", np.zeros(3, dtype))


def test_scalar_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 to 32 dimensions"):
        write_idx(tmp_path / "array", np.zeros((), np.uint8))
