"""An engine in a process of its own.

So engines share no OpenMP runtime, no allocator and no environment, one that fails takes nothing with it, and
peaks of memory are its own. Only one worker works at a time.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import time
import traceback
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from versus import process_memory
from versus.peers import PEERS, Prepared

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FASTCNN_NUM_THREADS")


class WorkerError(Exception):
    """What went wrong in a worker; the message ends with its traceback."""


class NotInstalledError(Exception):
    """The engine can't be imported."""


class Worker:
    """A process with one engine on `threads` threads.

    Raises:
        NotInstalledError: the engine is not there.
    """

    def __init__(self, peer: str, threads: int) -> None:
        self.peer = peer
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, PEERS[peer].module, threads), daemon=True)
        self._process.start()
        other.close()
        try:
            self._receive()
        except WorkerError as error:
            self.close()
            raise NotInstalledError(str(error)) from None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()  # the process ends by itself
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    def call(self, function: str, *arguments: Any) -> Any:
        """A function of the engine's module."""
        return self._ask("call", function, *arguments)

    def prepare(self, key: Any, function: str, *arguments: Any) -> None:
        """Keeps under `key` the Prepared that a function of the engine's module returns."""
        self._ask("prepare", key, function, *arguments)

    def check(self, key: Any) -> Any:
        return self._ask("check", key)

    def seconds(self, key: Any, steps: int, warm_up: int = 0) -> float:
        """Per step, over `steps` steps after `warm_up` untimed ones."""
        return float(self._ask("seconds", key, steps, warm_up))

    def memory(self, key: Any, steps: int) -> int:
        """By how many bytes resident memory grows at most while running steps for the first time."""
        return int(self._ask("memory", key, steps))

    def release(self, key: Any) -> None:
        self._ask("release", key)

    def _ask(self, *message: Any) -> Any:
        self._connection.send(message)
        return self._receive()

    def _receive(self) -> Any:
        try:
            ok, value = self._connection.recv()
        except EOFError:
            self._process.join(10)
            raise WorkerError(f"{self.peer}: the process ended, status {self._process.exitcode}") from None
        if not ok:
            raise WorkerError(f"{self.peer}: {value}")
        return value


class _Service:
    """The worker's side."""

    def __init__(self, module: str) -> None:
        self._module = importlib.import_module(module)
        self._prepared: dict[Any, Prepared] = {}

    def call(self, function: str, *arguments: Any) -> Any:
        return getattr(self._module, function)(*arguments)

    def prepare(self, key: Any, function: str, *arguments: Any) -> None:
        self._prepared[key] = self.call(function, *arguments)

    def check(self, key: Any) -> Any:
        return self._prepared[key].check()

    def seconds(self, key: Any, steps: int, warm_up: int) -> float:
        prepared = self._prepared[key]
        step = prepared.step
        for _ in range(warm_up):
            step()
        if prepared.seconds is not None:
            return sum(prepared.seconds() for _ in range(steps)) / steps
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - start) / steps

    def memory(self, key: Any, steps: int) -> int:
        gc.collect()
        process_memory.release_free()
        before = process_memory.resident()
        process_memory.reset_peak()
        for _ in range(steps):
            self._prepared[key].step()
        return process_memory.peak() - before

    def release(self, key: Any) -> None:
        del self._prepared[key]
        gc.collect()


def _serve(connection: Connection, module: str, threads: int) -> None:
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        service = _Service(module)
    except ImportError as error:
        connection.send((False, str(error)))
        return
    connection.send((True, None))
    while True:
        try:
            name, *arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = True, getattr(service, name)(*arguments)
        except Exception:
            answer = False, traceback.format_exc()
        connection.send(answer)
