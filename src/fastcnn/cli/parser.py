"""Command-line parsing: argparse that reports one clear line and suggests the near name."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from fastcnn._names import did_you_mean


class UsageError(Exception):
    """Wrong use of the command line; exit code 2."""


class CommandError(Exception):
    """A command that can't do what it was asked; exit code 1."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError, takes no abbreviations, and knows its options' names."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def refuse_unknown(self, unknown: Sequence[str]) -> None:
        """Raises UsageError for what parse_known_args left over, with the option that was probably meant."""
        if not unknown:
            return
        name = unknown[0].split("=")[0]
        if name.startswith("-"):
            raise UsageError(f"unknown option {name}{did_you_mean(name, self._option_string_actions)}")
        raise UsageError(f"unexpected argument {unknown[0]!r}")

    def convert(self, name: str, value: Any) -> Any:
        """What an option is of a value from a file, as if it stood on the command line; `name` is its long
        name with underscores. UsageError where there is no such option, or the value is none of its."""
        option = f"--{name.replace('_', '-')}"
        action = next((action for action in self._actions if action.dest == name), None)
        if action is None:
            raise UsageError(f"unknown option {option}{did_you_mean(option, self._option_string_actions)}")
        if action.nargs == 0:
            if not isinstance(value, bool):
                raise UsageError(f"{name} is {value!r}, expected true or false")
            return action.const if value else action.default
        if isinstance(value, bool) or (isinstance(value, list) and action.nargs in (None, "?")):
            raise UsageError(f"{name} is {value}, expected one value")
        texts = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        if isinstance(action.nargs, int) and len(texts) != action.nargs:
            raise UsageError(f"{name} is {value}, expected {action.nargs} values")
        try:
            return self._get_values(action, texts)
        except argparse.ArgumentError as error:
            raise UsageError(str(error)) from error


def whole(minimum: int, maximum: int = 2**31 - 1) -> Callable[[str], int]:
    """Type of an argument: a whole number from `minimum` to `maximum`."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if not minimum <= number <= maximum:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {minimum} to {maximum}, not {text!r}"
            )
        return number

    return convert


def real(expected: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    """Type of an argument: a finite number that `fits`; `expected` says in words which ones do."""

    def convert(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and fits(number)):
            raise argparse.ArgumentTypeError(f"expected a number {expected}, not {text!r}")
        return number

    return convert
