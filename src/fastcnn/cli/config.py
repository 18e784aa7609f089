"""RUN/config.toml: the options of a training, and what it ran on.

It has every option of `train` that is set, under its long name with underscores, and in the table `versions`
what results depend on in their last bits.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import fastcnn
from fastcnn.cli import toml
from fastcnn.cli.parser import CommandError, Parser, UsageError
from fastcnn.train.checkpoint import write_atomically

CONFIG = "config.toml"
_VERSIONS = "versions"
_OF_THE_COMMAND = ("out", "config", "resume", "check_grads", "find_lr", "json")
_FILES = ("params",)  # relative to the TOML file's folder, as a layer file is


def write_config(folder: Path, settings: Mapping[str, Any]) -> None:
    """Writes RUN/config.toml."""
    text = "# fastcnn train --config config.toml --out RUN repeats this.\n"
    write_atomically(folder / CONFIG, (text + toml.dumps({**settings, _VERSIONS: versions()})).encode())


def read_config(path: Path, parser: Parser) -> dict[str, Any]:
    """The options of a TOML file, checked as those of the command line are.

    Raises:
        CommandError: it can't be read, or has what is no option, or no value of one.
    """
    fields = _read(path)
    fields.pop(_VERSIONS, None)
    values = {}
    for name, value in fields.items():
        if name in _OF_THE_COMMAND:
            raise CommandError(f"{path}: {name} belongs on the command line")
        if isinstance(value, dict):
            raise CommandError(f"{path}: there is no table [{name}]")
        if name in _FILES or (name == "model" and str(value).endswith(".cfg")):
            value = path.parent / str(value)
        try:
            values[name] = parser.convert(name, value)
        except UsageError as error:
            raise CommandError(f"{path}: {error}") from error
    return {name: value for name, value in values.items() if value is not None}


def versions_changed(path: Path) -> list[str]:
    """What differs here from what a run began on, in words."""
    then = _read(path).get(_VERSIONS, {})
    return [f"{name} {then[name]} -> {now}" for name, now in versions().items() if then.get(name, now) != now]


def versions() -> dict[str, str]:
    """What results depend on in their last bits."""
    return {
        "fastcnn": fastcnn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "isa": fastcnn.info()["isa"],
        "gemm": fastcnn.info()["gemm"],
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return toml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CommandError(f"{path}: no such file") from error
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error
