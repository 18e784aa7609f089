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
    """On a busy machine threads that spin while they wait are slow beyond measure. Linux only."""
    if not _STAT.exists():
        return
    busy, total = _processor_time()
    time.sleep(0.5)
    busy_then, total_then = _processor_time()
    share = (busy_then - busy) / max(1, total_then - total)
    if share > 0.1:
        print(f"warning: this machine is {share:.0%} busy: no fair figures now", file=sys.stderr)


def _processor_time() -> tuple[int, int]:
    """Busy and all, in ticks since boot."""
    ticks = list(map(int, _STAT.read_text().splitlines()[0].split()[1:]))
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # less idle and waiting for disks


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
