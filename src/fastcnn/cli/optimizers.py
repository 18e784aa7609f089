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
    make: Callable[..., optim.Optimizer]
    lr: float  # default
    defaults: Mapping[str, Any]  # of the options that it takes


OPTIONS = {
    "momentum": _Option(
        "momentum factor",
        {"type": real("from 0 to below 1", lambda number: 0 <= number < 1), "metavar": "X"},
    ),
    "betas": _Option(
        "shares of the running means of gradients and of their squares that are kept",
        {
            "type": real("from 0 to below 1", lambda number: 0 <= number < 1),
            "nargs": 2,
            "metavar": ("BETA1", "BETA2"),
        },
    ),
    "alpha": _Option(
        "share of the running mean of squared gradients that is kept",
        {"type": real("from 0 to 1", lambda number: 0 <= number <= 1), "metavar": "X"},
    ),
    "eps": _Option(
        "what is added to the root of the squared gradients",
        {"type": real("of at least 0", lambda number: number >= 0), "metavar": "X"},
    ),
    "weight_decay": _Option(
        "weight decay: lambda of the L2 penalty lambda/2 |w|²; with adamw apart from the gradients",
        {"type": real("of at least 0", lambda number: number >= 0), "metavar": "X"},
    ),
}
KINDS = {
    "sgd": _Kind(optim.SGD, 0.02, {"momentum": 0.9, "weight_decay": 4e-3}),
    "adam": _Kind(optim.Adam, 1e-3, {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}),
    "adamw": _Kind(optim.AdamW, 1e-3, {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}),
    "rmsprop": _Kind(optim.RMSprop, 1e-3, {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0}),
    "adagrad": _Kind(optim.Adagrad, 1e-2, {"eps": 1e-10, "weight_decay": 0.0}),
}
DEFAULT = "sgd"


def _shown(defaults: Mapping[str, Any]) -> str:
    """Defaults by optimiser, in words."""
    kinds: dict[str, list[str]] = {}
    for kind, value in defaults.items():
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        kinds.setdefault(text, []).append(kind)
    return "default: " + ", ".join(f"{text} of {' and '.join(names)}" for text, names in kinds.items())


LR_HELP = f"learning rate ({_shown({name: kind.lr for name, kind in KINDS.items()})})"


def add_optimizer_options(parser: Any) -> None:
    parser.add_argument("--optimizer", choices=tuple(KINDS), help=f"the update rule (default: {DEFAULT})")
    for name, option in OPTIONS.items():
        defaults = {kind: row.defaults[name] for kind, row in KINDS.items() if name in row.defaults}
        text = f"{option.help} ({_shown(defaults)})"
        parser.add_argument(f"--{name.replace('_', '-')}", help=text, **option.arguments)


def make_optimizer(kind: str, model: Module, lr: float, options: Mapping[str, Any]) -> optim.Optimizer:
    """An optimiser of all parameters; `options` by the names of OPTIONS."""
    return KINDS[kind].make(model.parameters(), lr=lr, **options)
