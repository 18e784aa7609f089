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
    lr: float  # default
    defaults: Mapping[str, Any]  # of the options that it takes


OPTIONS = {
    "momentum": _Option(
        "momentum factor",
        {"type": real("from 0 to below 1", lambda number: 0 <= number < 1), "metavar": "X"},
    ),
    "weight_decay": _Option(
        "weight decay: lambda of the L2 penalty lambda/2 |w|²",
        {"type": real("of at least 0", lambda number: number >= 0), "metavar": "X"},
    ),
}
KINDS = {
    "sgd": _Kind(optim.SGD, 0.02, {"momentum": 0.9, "weight_decay": 4e-3}),
}
DEFAULT = "sgd"


def _shown(defaults: Mapping[str, Any]) -> str:
    """Defaults by optimiser, in words."""
    if len(defaults) == 1:
        return f"default: {next(iter(defaults.values()))}"
    return "default: " + ", ".join(f"{value} of {kind}" for kind, value in defaults.items())


LR_HELP = f"learning rate ({_shown({name: kind.lr for name, kind in KINDS.items()})})"


def add_optimizer_options(parser: Any) -> None:
    for name, option in OPTIONS.items():
        defaults = {kind: row.defaults[name] for kind, row in KINDS.items() if name in row.defaults}
        text = f"{option.help} ({_shown(defaults)})"
        parser.add_argument(f"--{name.replace('_', '-')}", help=text, **option.arguments)


def make_optimizer(kind: str, model: Module, lr: float, options: Mapping[str, Any]) -> optim.SGD:
    """An optimiser of all parameters; `options` by the names of OPTIONS."""
    return KINDS[kind].make(model.parameters(), lr=lr, **options)
