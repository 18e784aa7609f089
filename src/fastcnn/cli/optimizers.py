"""The optimisers of `train`, and their options.

Another optimiser is a row of KINDS; an option that no other has, a row of OPTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastcnn import optim
from fastcnn.cli.parser import real
from fastcnn.nn import Module


class _Option(NamedTuple):
    help: str
    arguments: Mapping[str, Any]  # more, of add_argument


class _Kind(NamedTuple):
    make: Callable[..., optim.SGD]
    defaults: Mapping[str, Any]  # of the options that it takes


OPTIONS = {
    "momentum": _Option(
        "share of the last update that goes on",
        {"type": real("from 0 to below 1", lambda number: 0 <= number < 1), "metavar": "X"},
    ),
    "weight_decay": _Option(
        "lambda of the penalty lambda/2 |w|²",
        {"type": real("of at least 0", lambda number: number >= 0), "metavar": "X"},
    ),
}
KINDS = {
    "sgd": _Kind(optim.SGD, {"momentum": 0.9, "weight_decay": 4e-3}),
}
DEFAULT = "sgd"


def add_optimizer_options(parser: Any) -> None:
    for name, option in OPTIONS.items():
        defaults = {kind: row.defaults[name] for kind, row in KINDS.items() if name in row.defaults}
        several = len(defaults) > 1
        shown = ", ".join(f"{value} of {kind}" if several else str(value) for kind, value in defaults.items())
        text = f"{option.help} (default: {shown})"
        parser.add_argument(f"--{name.replace('_', '-')}", help=text, **option.arguments)


def make_optimizer(kind: str, model: Module, lr: float, options: Mapping[str, Any]) -> optim.SGD:
    """An optimiser of all parameters; `options` by the names of OPTIONS."""
    return KINDS[kind].make(model.parameters(), lr=lr, **options)
