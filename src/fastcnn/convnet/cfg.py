"""Reading cuda-convnet's files: INI sections whose values are typed where they are read.

The grammar is that of Python's configparser, as cuda-convnet uses it: keys in any case, `#` and `;` comments,
continued lines, a [DEFAULT] section that the others inherit, %(name)s. A key or section may stand once only.
"""

from __future__ import annotations

import configparser
import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_FLAGS = configparser.ConfigParser.BOOLEAN_STATES
_KEY = re.compile(r"([^\s#;:=\[][^:=]*?)\s*[:=]")


class ConfigError(ValueError):
    """What a file says wrongly, or what fastcnn doesn't do; names file, line and section."""


def near(name: str, known: Iterable[str]) -> str:
    """ "; did you mean ...?" with the nearest of `known`, or nothing when none is near."""
    spelled = {word.lower(): word for word in known}
    found = difflib.get_close_matches(name.lower(), list(spelled), n=1)
    return f"; did you mean {spelled[found[0]]}?" if found else ""


def finite(text: str) -> float:
    """The number that `text` is; ValueError where it is none, nan or infinite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {text}")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**31:
        raise ValueError(f"{text} is too large")
    return value


class Section:
    """The keys of one section.

    Each is asked for once by a method that says its type and default; what nobody asks for is refused by
    `finish`.

    Attributes:
        name: as between the brackets.
        line: where it begins; 0 for one that the file doesn't have.
    """

    def __init__(
        self,
        file: Path,
        name: str,
        values: dict[str, str],
        line: int,
        lines: dict[str, int],
        inherited: dict[str, int],
        others: Iterable[str] | None = None,
    ) -> None:
        self.name = name
        self.line = line
        self._others = others  # for a section that the file doesn't have, those that it has
        self._file = file
        self._values = values
        self._lines = lines
        self._inherited = inherited  # lines of [DEFAULT]
        self._asked: dict[str, str] = {}  # as spelled here, by the lower-case key

    def error(self, message: str, key: str | None = None) -> ConfigError:
        """To be raised; points at the key's line, where the section has it."""
        line = self._lines.get(key.lower(), self.line) if key else self.line
        heir = ""
        if key and key.lower() in self._inherited and key.lower() not in self._lines:
            line = self._inherited[key.lower()]
            heir = f"[{configparser.DEFAULTSECT}], inherited by "
        place = f"{self._file}, line {line}" if line else f"{self._file}"
        return ConfigError(f"{place}, {heir}[{self.name}]: {message}")

    def has(self, key: str) -> bool:
        """Whether the section has or inherits the key; doesn't count as asking."""
        return key.lower() in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """The value as it stands; every other method begins here.

        Raises:
            ConfigError: the key is missing and has no default.
        """
        self._asked[key.lower()] = key
        if key.lower() in self._values:
            return self._values[key.lower()]
        if default is None and self._others is not None:
            raise self.error(f"{key} is missing, as is the whole section{near(self.name, self._others)}")
        if default is None:
            mistaken = difflib.get_close_matches(key.lower(), self._unasked(), n=1)
            hint = f"; is {mistaken[0]!r} in line {self._lines[mistaken[0]]} meant?" if mistaken else ""
            raise self.error(f"{key} is missing{hint}")
        return default

    def integer(self, key: str, default: int | None = None, least: int | None = None) -> int:
        return self._number(key, default, least, _whole, "a whole number")

    def real(self, key: str, default: float | None = None, least: float | None = None) -> float:
        return self._number(key, default, least, finite, "a number")

    def flag(self, key: str, default: bool | None = None) -> bool:
        """1, yes, true, on, or 0, no, false, off."""
        return self._flag(key, self.text(key, None if default is None else str(default)))

    def choice(self, key: str, among: Iterable[str], default: str | None = None) -> str:
        """One of several words."""
        value = self.text(key, default)
        if value not in among:
            raise self.error(f"{key} is {value!r}, expected {' or '.join(among)}{near(value, among)}", key)
        return value

    def words(self, key: str, default: str | None = None) -> list[str]:
        """The parts between commas."""
        return [part.strip() for part in self.text(key, default).split(",")]

    def integers(
        self, key: str, count: int, default: int | None = None, least: int | None = None
    ) -> list[int]:
        """One number for each of `count` inputs; a single one holds for all."""
        convert = self._checked(key, least, _whole, "a whole number")
        return self._list(key, count, default, convert)

    def reals(
        self, key: str, count: int, default: float | None = None, least: float | None = None
    ) -> list[float]:
        """As `integers`."""
        convert = self._checked(key, least, finite, "a number")
        return self._list(key, count, default, convert)

    def flags(self, key: str, count: int, default: bool | None = None) -> list[bool]:
        """As `integers`."""
        return self._list(key, count, default, lambda text: self._flag(key, text))

    def ignore(self, *keys: str) -> None:
        """Keys that mean nothing here, such as those that steered GPU kernels."""
        for key in keys:
            self.text(key, "")

    def ignore_all(self) -> None:
        """Counts every key of the section's own as asked for."""
        self.ignore(*self._lines)

    def finish(self) -> None:
        """Raises ConfigError for the first key of the section's own that nobody asked for."""
        for key in self._unasked():
            raise self.error(f"unknown key {key!r}{near(key, self._asked.values())}", key)

    def _unasked(self) -> list[str]:
        return [key for key in self._lines if key not in self._asked]

    def _number(
        self, key: str, default: T | None, least: float | None, convert: Callable[[str], T], expected: str
    ) -> T:
        text = self.text(key, None if default is None else str(default))
        return self._checked(key, least, convert, expected)(text)

    def _checked(
        self, key: str, least: float | None, convert: Callable[[str], T], expected: str
    ) -> Callable[[str], T]:
        bound = "" if least is None else f" of at least {least:g}"

        def checked(text: str) -> T:
            try:
                value = convert(text)
            except ValueError:
                raise self.error(f"{key} is {text!r}, expected {expected}{bound}", key) from None
            if least is not None and not value >= least:  # type: ignore[operator]
                raise self.error(f"{key} is {text}, expected {expected}{bound}", key)
            return value

        return checked

    def _flag(self, key: str, text: str) -> bool:
        if text.lower() not in _FLAGS:
            raise self.error(f"{key} is {text!r}, expected true or false", key)
        return _FLAGS[text.lower()]

    def _list(self, key: str, count: int, default: T | None, convert: Callable[[str], T]) -> list[T]:
        parts = self.words(key, None if default is None else str(default))
        if len(parts) == 1:
            parts *= count
        if len(parts) != count:
            raise self.error(f"{key} has {len(parts)} values for {count} inputs", key)
        return [convert(part) for part in parts]


class Cfg:
    """The sections of one file, in its order.

    Raises:
        ConfigError: it isn't such a file, or has a section or a key twice.
        OSError: it can't be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        parser = configparser.ConfigParser(inline_comment_prefixes=(";",))
        with _config_errors(self.path):
            text = self.path.read_text(encoding="utf-8")
            parser.read_string(text, str(path))
            values = {name: dict(parser[name]) for name in parser.sections()}
        lines = _lines_of(text)
        line, inherited = lines.get(parser.default_section, (0, {}))
        self._default = Section(self.path, parser.default_section, {}, line, inherited, inherited)
        self._sections = {
            name: Section(self.path, name, values[name], *lines.get(name, (0, {})), inherited)
            for name in values
        }
        self._absent: dict[str, Section] = {}
        self._parser = parser

    def __iter__(self) -> Iterator[Section]:
        return iter(self._sections.values())

    def section(self, name: str) -> Section:
        """That section; one of line 0, with what [DEFAULT] says, where the file doesn't have it."""
        if name in self._sections:
            return self._sections[name]
        if name not in self._absent:
            self._parser.add_section(name)
            with _config_errors(self.path):
                values = dict(self._parser[name])
            inherited = self._default._inherited
            self._absent[name] = Section(self.path, name, values, 0, {}, inherited, self._sections)
        return self._absent[name]

    def finish(self) -> None:
        """Raises ConfigError for the first key that nobody asked for, in any section or in [DEFAULT]."""
        for section in (*self, *self._absent.values()):
            section.finish()
            self._default._asked.update(section._asked)
        self._default.finish()


def _lines_of(text: str) -> dict[str, tuple[int, dict[str, int]]]:
    """By section, its line and those of its keys (in lower case). Lines indented below a key are its."""
    found: dict[str, tuple[int, dict[str, int]]] = {}
    keys: dict[str, int] = {}
    key_indent = len(text)
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.lstrip()
        indent = len(line) - len(stripped)
        if indent > key_indent:
            continue
        if header := configparser.ConfigParser.SECTCRE.match(stripped):
            keys = {}
            found[header["header"]] = (number, keys)
            key_indent = len(text)
        elif key := _KEY.match(stripped):
            keys[key[1].lower()] = number
            key_indent = indent
    return found


@contextmanager
def _config_errors(path: Path) -> Iterator[None]:
    """What configparser raises, as ConfigError."""
    try:
        yield
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(f"{path}, line {error.lineno}: no [section] begins above") from error
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        key = getattr(error, "option", None)
        what = f"{key!r}" if key else "the section"
        raise ConfigError(f"{path}, line {error.lineno}, [{error.section}]: {what} is given twice") from error
    except configparser.ParsingError as error:
        line, content = error.errors[0]
        raise ConfigError(f"{path}, line {line}: {content}, expected key=value") from error
    except configparser.InterpolationError as error:
        lines = _lines_of(path.read_text(encoding="utf-8"))
        keys = {**lines.get(configparser.DEFAULTSECT, (0, {}))[1], **lines.get(error.section, (0, {}))[1]}
        place = f"{path}, line {keys.get(error.option, 0)}, [{error.section}]"
        raise ConfigError(f"{place}: {error.option}: {error.message}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file") from error
