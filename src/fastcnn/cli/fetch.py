"""`fastcnn fetch NAME`: download a dataset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from fastcnn._names import did_you_mean
from fastcnn.cli.common import add_json, print_json
from fastcnn.cli.parser import UsageError
from fastcnn.data import data_root, fetch
from fastcnn.data.sources import SOURCES

HELP = "download a dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Downloads a dataset to where `--data NAME` finds it: the folder that FASTCNN_DATA names, or the "
        "user's cache folder. Files are checked against their published size and SHA-256; an interrupted "
        "download goes on where it ended."
    )
    parser.add_argument("name", metavar="NAME", help=", ".join(SOURCES))
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="make the folder NAME in this one instead")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    if arguments.name not in SOURCES:
        hint = did_you_mean(arguments.name, SOURCES) or f"; known: {', '.join(SOURCES)}"
        raise UsageError(f"no dataset {arguments.name!r} to fetch{hint}")
    with _Bars() as bars:
        folder = fetch(arguments.name, arguments.to, progress=bars.show)
    if arguments.json:
        print_json({"data": arguments.name, "folder": str(folder)})
        return
    found = arguments.to is None or arguments.to.resolve() == data_root().resolve()
    print(f"{arguments.name} is in {folder}; try: fastcnn train --data {arguments.name if found else folder}")


class _Bars:
    """What a person sees meanwhile, on stderr: a bar per file where it is a terminal and tqdm is there, else
    a line per file."""

    def __init__(self) -> None:
        self._name = ""
        self._bar: Any = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def show(self, name: str, done: int, size: int) -> None:
        if name != self._name:
            self._close()
            self._name = name
            self._bar = _make_bar(name, size)
            if self._bar is None:
                print(f"{name}: {size / 1e6:,.1f} MB", file=sys.stderr, flush=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _make_bar(name: str, size: int) -> Any:
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(desc=name, total=size, unit="B", unit_scale=True, file=sys.stderr, dynamic_ncols=True)
