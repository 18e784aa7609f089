"""The little of TOML that run folders need: tables of texts, numbers, booleans and lists of them."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOMLDecodeError = tomllib.TOMLDecodeError


def loads(text: str) -> dict[str, Any]:
    """What a TOML text says.

    Raises:
        TOMLDecodeError: it is none.
    """
    fields: dict[str, Any] = tomllib.loads(text)
    return fields


def dumps(fields: Mapping[str, Any]) -> str:
    """Text that `loads` makes the same fields of: values first, then tables, whose values are no tables.

    Raises:
        TypeError: something that TOML, or this, doesn't have, such as None.
    """
    lines = [f"{_key(name)} = {_value(v)}" for name, v in fields.items() if not isinstance(v, Mapping)]
    for name, table in fields.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_key(name)}]", *(f"{_key(k)} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"{type(value).__name__} in TOML: {value!r}")


def _text(value: str) -> str:
    """JSON's texts are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
