"""The schedules of learning rates that --schedule names."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from fastcnn import optim
from fastcnn._names import did_you_mean
from fastcnn.cli.parser import UsageError

AnySchedule = optim.Schedule | optim.ReduceLROnPlateau
Options = dict[str, Any]


class _Kind(NamedTuple):
    help: str
    options: Options  # with their defaults
    make: Callable[
        [optim.Optimizer, Options, int, int], AnySchedule
    ]  # of optimizer, options, steps, steps of an epoch


def _curve(
    make: Callable[..., optim.curves.Curve],
) -> Callable[[optim.Optimizer, Options, int, int], AnySchedule]:
    return lambda sgd, o, steps, _: optim.ProgressLR(sgd, make(**o), steps)


_KINDS = {
    "constant": _Kind(
        "stays", {}, lambda sgd, _, steps, __: optim.ProgressLR(sgd, optim.curves.const(), steps)
    ),
    "cosine": _Kind(
        "falls to `min` as half a cosine",
        {"min": 0.0},
        lambda sgd, o, steps, _: optim.CosineAnnealingLR(sgd, steps, o["min"]),
    ),
    "polynomial": _Kind(
        "falls to 0 as (1 - progress)^power",
        {"power": 1.0},
        lambda sgd, o, steps, _: optim.PolynomialLR(sgd, steps, o["power"]),
    ),
    "step": _Kind(
        "multiplied by `gamma` every `epochs` epochs",
        {"epochs": 10, "gamma": 0.1},
        lambda sgd, o, _, epoch: optim.StepLR(sgd, o["epochs"] * epoch, o["gamma"]),
    ),
    "multistep": _Kind(
        "multiplied by `gamma` after each of these epochs",
        {"epochs": [10, 20], "gamma": 0.1},
        lambda sgd, o, _, epoch: optim.MultiStepLR(sgd, [e * epoch for e in o["epochs"]], o["gamma"]),
    ),
    "one-cycle": _Kind(
        "up to --lr in the share `up` of the run, then down",
        {"up": 0.3},
        lambda optimizer, o, steps, _: optim.OneCycleLR(
            optimizer, optimizer.param_groups[0]["lr"], steps, o["up"], cycle_momentum=False
        ),
    ),
    "linear": _Kind(
        "falls linearly to 1/target_factor", {"target_factor": 1000.0}, _curve(optim.curves.linear)
    ),
    "exp": _Kind(
        "falls to 1/target_factor exponentially", {"target_factor": 1000.0}, _curve(optim.curves.exp)
    ),
    "dexp": _Kind(
        "the same in num_steps equal parts",
        {"target_factor": 1000.0, "num_steps": 4},
        _curve(optim.curves.dexp),
    ),
    "plateau": _Kind(
        "multiplied by `factor` when the epochs' training loss has not improved for more than `patience`",
        {"factor": 0.1, "patience": 2},
        lambda sgd, o, _, __: optim.ReduceLROnPlateau(sgd, factor=o["factor"], patience=o["patience"]),
    ),
}
_WITHOUT_WARMUP = ("one-cycle", "plateau")


def add_schedule(parser: argparse._ArgumentGroup) -> None:
    kinds = "; ".join(f"{_example(name, kind.options)} {kind.help}" for name, kind in _KINDS.items())
    parser.add_argument(
        "--schedule",
        type=_checked,
        metavar="NAME[:KEY=VALUE,...]",
        help="schedule of the learning rate, from --lr (default: cosine, or what the parameter file says). "
        f"With the defaults of their options: {kinds}",
    )
    parser.add_argument(
        "--warmup",
        type=_epochs,
        metavar="EPOCHS",
        help="linear warm-up from a hundredth of the learning rate (default: 0)",
    )


def make_schedule(
    text: str, warmup: float, optimizer: optim.Optimizer, steps: int, steps_per_epoch: int
) -> AnySchedule:
    """The schedule that --schedule and --warmup name, for a run of so many steps.

    Raises:
        UsageError: a value out of its range, or a warm-up that doesn't fit.
    """
    name, options = _parse(text)
    first = round(warmup * steps_per_epoch)
    if first and name in _WITHOUT_WARMUP:
        raise UsageError(f"--warmup doesn't go with --schedule {name}")
    if first >= steps:
        raise UsageError(f"--warmup {warmup:g} takes the whole run")
    try:
        schedule = _KINDS[name].make(optimizer, options, steps - first, steps_per_epoch)
        if not first:
            return schedule
        assert isinstance(schedule, optim.Schedule)
        rise = optim.LinearLR(optimizer, 0.01, total_iters=first)
        return optim.SequentialLR(optimizer, [rise, schedule], [first])
    except ValueError as error:
        raise UsageError(f"--schedule {text}: {error}") from error


def _example(name: str, options: Options) -> str:
    return name + "".join(
        f"{',' if i else ':'}{key}={_shown(value)}" for i, (key, value) in enumerate(options.items())
    )


def _shown(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else f"{value:g}"


def _checked(text: str) -> str:
    try:
        _parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _epochs(text: str) -> float:
    try:
        epochs = float(text)
    except ValueError:
        epochs = math.nan
    if not 0 <= epochs < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of epochs, 0 or more, not {text!r}")
    return epochs


def _parse(text: str) -> tuple[str, Options]:
    """Name and options; ValueError for others than are known, and for values that aren't numbers."""
    name, _, rest = text.partition(":")
    if name not in _KINDS:
        raise ValueError(f"no schedule {name!r}{did_you_mean(name, _KINDS)}; known are {', '.join(_KINDS)}")
    options = dict(_KINDS[name].options)
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if key not in options:
            known = ", ".join(options) or "none"
            raise ValueError(
                f"{name} has no option {key!r}{did_you_mean(key, options)}; its options: {known}"
            )
        options[key] = _number(name, key, value, options[key])
    return name, options


def _number(name: str, key: str, text: str, default: Any) -> Any:
    """As the default is: a whole number, a real one, or whole ones joined by +."""
    try:
        if isinstance(default, list):
            return [int(part) for part in text.split("+")]
        if isinstance(default, int):
            return int(text)
        number = float(text)
        if math.isfinite(number):
            return number
    except ValueError:
        pass
    kind = {list: "whole numbers joined by +", int: "a whole number", float: "a number"}[type(default)]
    raise ValueError(f"{name}: {key} is {text!r}, expected {kind}")
