"""What a training is made of: options of the command line, a TOML file that has them, and defaults.

RUN/config.toml has every option of `train` that is set, under its long name with underscores, and in the
table `versions` what it ran on.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Mapping
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
_MAY_CHANGE = ("threads", "workers")  # in a resume: the same bits

AddArguments = Callable[[argparse.ArgumentParser], None]


def settings_of(
    arguments: argparse.Namespace, add_arguments: AddArguments, defaults: Mapping[str, Any]
) -> argparse.Namespace:
    """All options of `train`: those given, else those of --config or --resume, else defaults, else None.

    Raises:
        UsageError: options given beside --resume.
        CommandError: the file can't be read, or has what is no option.
    """
    names = [name for name in vars(_parse(add_arguments, [])) if name not in _OF_THE_COMMAND]
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    stored: Mapping[str, Any] = {}
    if arguments.resume is not None:
        others = [name for name in given if name not in _MAY_CHANGE]
        others += [name for name in ("out", "config") if getattr(arguments, name) is not None]
        if others:
            option = "MODEL" if others[0] == "model" else f"--{others[0].replace('_', '-')}"
            raise UsageError(f"--resume goes on as the run was begun: {option} doesn't go with it")
        stored = read_config(arguments.resume / CONFIG, add_arguments)
    elif arguments.config is not None:
        stored = read_config(arguments.config, add_arguments)
    return argparse.Namespace(**{**dict.fromkeys(names), **defaults, **stored, **given})


def write_config(folder: Path, settings: Mapping[str, Any]) -> None:
    """Writes RUN/config.toml."""
    text = "# fastcnn train --config config.toml --out RUN repeats this.\n"
    write_atomically(folder / CONFIG, (text + toml.dumps({**settings, _VERSIONS: versions()})).encode())


def read_config(path: Path, add_arguments: AddArguments) -> dict[str, Any]:
    """The options of a TOML file, checked as those of the command line are.

    Raises:
        CommandError: it can't be read, or has what is no option, or no value of one.
    """
    fields = _read(path)
    fields.pop(_VERSIONS, None)
    argv: list[str] = []
    for name, value in fields.items():
        if name in _OF_THE_COMMAND:
            raise CommandError(f"{path}: {name} belongs on the command line")
        if isinstance(value, dict):
            raise CommandError(f"{path}: there is no table [{name}]")
        if name in _FILES or (name == "model" and str(value).endswith(".cfg")):
            value = path.parent / str(value)
        option = f"--{name.replace('_', '-')}"
        if name == "model":
            argv.insert(0, str(value))
        elif isinstance(value, list):
            argv += [option, *map(str, value)]
        elif isinstance(value, bool):
            argv += [option] if value else []
        else:
            argv.append(f"{option}={value}")
    try:
        read = vars(_parse(add_arguments, argv))
    except UsageError as error:
        raise CommandError(f"{path}: {error}") from error
    for name, value in fields.items():
        if isinstance(value, list) and not isinstance(read[name], list):
            raise CommandError(f"{path}: {name} is {value}, expected one value")
    return {name: value for name, value in read.items() if name in fields and value is not None}


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


def _parse(add_arguments: AddArguments, argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="fastcnn train", add_help=False)
    add_arguments(parser)
    arguments, unknown = parser.parse_known_args(argv)
    parser.refuse_unknown(unknown)
    return arguments
