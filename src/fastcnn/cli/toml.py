"""TOML: read by Python, before 3.11 by tomli, and written by tomli-w; both are of the extra `cli`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def loads(text: str) -> dict[str, Any]:
    """What a TOML text says.

    Raises:
        ValueError: it is none.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    fields: dict[str, Any] = tomllib.loads(text)
    return fields


def dumps(fields: Mapping[str, Any]) -> str:
    """Text that `loads` makes the same fields of.

    Raises:
        TypeError: something that TOML doesn't have, such as None.
    """
    import tomli_w

    text: str = tomli_w.dumps(fields)
    return text
