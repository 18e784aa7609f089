"""Resident memory of this process, as Linux counts it."""

from __future__ import annotations

import ctypes
from pathlib import Path

_PROC = Path("/proc/self")


def available() -> bool:
    return (_PROC / "clear_refs").exists()


def resident() -> int:
    """Bytes now."""
    return _status("VmRSS")


def peak() -> int:
    """Most bytes since the process began or `reset_peak`."""
    return _status("VmHWM")


def release_free() -> None:
    """Gives back to the system what the allocator keeps for later, where it is glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def reset_peak() -> None:
    (_PROC / "clear_refs").write_text("5")


def _status(name: str) -> int:
    for line in (_PROC / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)
