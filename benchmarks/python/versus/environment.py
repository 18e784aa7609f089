"""What figures depend on."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Any

_STAT = Path("/proc/stat")
_VARIABLES = ("OPENBLAS_CORETYPE", "FASTCNN_ISA", "FASTCNN_GEMM", "FASTCNN_CONV", "MALLOC_ARENA_MAX")


def environment() -> dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python", *sys.argv]),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def warn_if_busy() -> None:
    """On a busy machine threads that spin while they wait are slow beyond measure."""
    others = Others()
    time.sleep(0.5)
    share = others.share()
    if share is not None and share > 0.1:
        print(f"warning: this machine is {share:.0%} busy: no fair figures now", file=sys.stderr)


class Others:
    """What other processes, and other guests of the machine's host, do meanwhile. Linux only."""

    def __init__(self) -> None:
        self._start = _processor_time()

    def share(self) -> float | None:
        """Of all processors' time since this object was made; children that still run count as others."""
        if self._start is None:
            return None
        end = _processor_time()
        assert end is not None
        others, total = (now - before for now, before in zip(end, self._start, strict=True))
        return max(0.0, others / total) if total > 0 else 0.0


def _processor_time() -> tuple[float, float] | None:
    """Seconds since boot in which processors worked for others, and all of their seconds."""
    if not _STAT.exists():
        return None
    ticks = list(map(int, _STAT.read_text().splitlines()[0].split()[1:9]))  # guests are in user already
    a_second = os.sysconf("SC_CLK_TCK")
    busy = (sum(ticks) - ticks[3] - ticks[4]) / a_second  # less idle, and waiting for disks
    return busy - sum(os.times()[:4]), sum(ticks) / a_second


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
