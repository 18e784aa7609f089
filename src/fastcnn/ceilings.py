"""The machine's roofline: peak arithmetic and bandwidth, measured once, kept in the user's cache folder."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fastcnn import _core


@dataclass(frozen=True)
class Ceilings:
    """Per second; `one` is one thread, the others all threads.

    Attributes:
        flops, flops_one: multiplications and additions of float32 numbers in registers.
        read, read_one: bytes read from memory.
        add, add_one: bytes read and written by c = a + b in memory.
    """

    flops: float
    flops_one: float
    read: float
    read_one: float
    add: float
    add_one: float

    @property
    def bandwidth(self) -> float:
        """The most bytes that memory moves per second, reading alone or reading and writing."""
        return max(self.read, self.add)


_known: dict[str, Ceilings] = {}


def measure() -> Ceilings:
    """Measures, for the threads as set, and stores. Takes about two seconds; other work disturbs it."""
    threads = _core.num_threads()[0]
    result = Ceilings(
        flops=_core.measure_flops(threads),
        flops_one=_core.measure_flops(1),
        read=_core.measure_read_bandwidth(threads),
        read_one=_core.measure_read_bandwidth(1),
        add=_core.measure_add_bandwidth(threads),
        add_one=_core.measure_add_bandwidth(1),
    )
    _known[_key()] = result
    _write({**_read(), _key(): asdict(result)})
    return result


def stored() -> Ceilings | None:
    """What was measured for this CPU, instruction set and number of threads; None: nothing yet."""
    key = _key()
    if key not in _known:
        try:
            values = _read()[key]
            _known[key] = Ceilings(**{field.name: float(values[field.name]) for field in fields(Ceilings)})
        except (KeyError, TypeError, ValueError):
            return None  # nothing, or another version's
    return _known[key]


def cache_folder() -> Path:
    """Where the platform keeps what can be made again."""
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"]) / "fastcnn"
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.environ["LOCALAPPDATA"]) / "fastcnn"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fastcnn"
    return Path.home() / ".cache" / "fastcnn"


def _file() -> Path:
    return cache_folder() / "ceilings.json"


def _key() -> str:
    return f"{_cpu_model()}, {_core.active_isa()}, {_core.num_threads()[0]} threads"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _read() -> dict[str, dict[str, float]]:
    try:
        content = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(content: dict[str, dict[str, float]]) -> None:
    """Whole or not at all; a folder that can't be written only costs measuring again."""
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        temporary = _file().with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(content, indent=1))
        temporary.replace(_file())
    except OSError:
        pass
