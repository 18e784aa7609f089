"""Work that runs ahead of who needs its results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def run_ahead(make: Callable[[In], Out], items: Iterable[In], workers: int, ahead: int) -> Iterator[Out]:
    """make(item) of each item, in order, made by `workers` threads, at most `ahead` results before they are
    asked for; without workers, when asked for.

    What `make` raises is raised here, when its result is asked for. The threads have ended when the iterator
    has: at its end, at an error, or when it is closed or forgotten.
    """
    if workers == 0:
        yield from map(make, items)
        return
    pending: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(workers, "fastcnn-data") as pool:
        try:
            for item in items:
                pending.append(pool.submit(make, item))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
