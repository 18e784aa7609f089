"""Public names stay, and what could be called goes on to work: public_names.txt has those of version 0.1.0.

A parameter may be added where calls need not give it. Nothing else of a line changes.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

STORED = (Path(__file__).parent / "public_names.txt").read_text().splitlines()


def parameters_of(thing: Any) -> list[inspect.Parameter]:
    """Without annotations."""
    signature = inspect.signature(thing)
    return [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]


def as_text(parameters: list[inspect.Parameter]) -> str:
    return str(inspect.Signature(parameters))


@pytest.mark.parametrize("line", STORED)
def test_each_is_there_and_takes_what_it_took(line: str) -> None:
    path, bracket, rest = line.partition("(")
    module, name = path.rsplit(".", 1)
    thing = getattr(importlib.import_module(module), name)
    if not bracket:
        return
    current = parameters_of(thing)
    known = {text.strip(" *()").partition("=")[0] for text in rest.split(",")}
    added = [p for p in current if p.name not in known]
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    assert all(p.default is not p.empty or p.kind in optional for p in added), added
    kept = [p for p in current if p not in added]
    assert as_text(kept) == "(" + rest
    positional = [p for p in current if p.kind is not p.KEYWORD_ONLY]
    before = [p for p in positional if p in kept]
    assert positional[: len(before)] == before, "a parameter was added in front of others"
