"""One process at a time writes a run folder.

The lock is the system's, on RUN/.lock: it goes with the process that holds it, however that ends, so a file
that is left behind blocks nobody. The file says who holds it. (The package filelock locks the same way, but
doesn't say who holds a lock.)
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastcnn.cli.parser import CommandError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock.

    Raises:
        CommandError: another process holds it, or the folder can't be written.
    """
    path = folder / LOCK
    descriptor = _take(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(_this_process()).encode())
        yield
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if sys.platform == "win32":  # which removes no open file, nor one that another process has opened
            with suppress(OSError):
                path.unlink()


def _take(path: Path) -> int:
    """A descriptor of the locked file."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise CommandError(f"{path.parent}: can't write to this folder: {error.strerror}") from error
        try:
            _lock_or_tell(descriptor, path)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder removed the file between opening and locking


def _lock_or_tell(descriptor: int, path: Path) -> None:
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError) as error:
        raise CommandError(f"{path.parent} is being written by {_holder(path)}") from error
    except OSError as error:  # some network file systems have no locks
        message = f"{path.parent} can't be locked: {error.strerror}; start no second run in it"
        print(f"fastcnn: warning: {message}", file=sys.stderr)


def _this_process() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": shlex.join(["fastcnn", *sys.argv[1:]]),
    }


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return "process {pid} on {host} since {since}: {command}".format(**holder)
    except (OSError, ValueError, TypeError, KeyError):  # it has just begun, or just ended
        return "another process"


if sys.platform == "win32":
    import msvcrt

    _BEYOND = 1 << 20  # a locked byte can't be read by others: one after the text

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _BEYOND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
