"""How parameters are trained: the keys of weight layers in the parameter file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastcnn import nn
from fastcnn.convnet.cfg import Section, finite
from fastcnn.optim import curves

_NUMBER = re.compile(r"[-+]?(\d+\.?|\d*\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)
_SCHEDULE = re.compile(r"(\w+)\s*(?:\[(.*)\])?$")
_SCHEDULES: dict[str, tuple[str, ...]] = {
    "const": ("base",),
    "linear": ("base", "tgtFactor"),
    "exp": ("base", "tgtFactor"),
    "dexp": ("base", "tgtFactor", "numSteps"),
}


class Rate(NamedTuple):
    """A learning rate: where it starts, and how it falls.

    Attributes:
        kind: of schedule, one of `_SCHEDULES`.
        steps: of dexp.
    """

    base: float
    kind: str = "const"
    factor: float = 1.0
    steps: int = 1

    def curve(self) -> curves.Curve:
        """As a share of `base`, by the progress of training from 0 to 1."""
        if self.kind == "const":
            return curves.const()
        if self.kind == "dexp":
            return curves.dexp(self.factor, self.steps)
        return curves.linear(self.factor) if self.kind == "linear" else curves.exp(self.factor)


@dataclass
class Update:
    """A parameter, its learning rate over time, and what else the optimiser needs for it.

    Attributes:
        name: the layer and key that says the rate, such as "conv5b.epsW[1]".
        settings: of the parameter's group of `optim.SGD`.
        rate: over time; settings["lr"] is where it starts.
    """

    name: str
    parameter: nn.Parameter
    settings: dict[str, Any]
    rate: Rate

    def group(self) -> dict[str, Any]:
        return {"params": [self.parameter], **self.settings}


def read_updates(
    params: Section,
    weights: list[nn.Parameter],
    owned: list[bool],
    bias: nn.Parameter,
    above: Iterable[Update],
) -> list[Update]:
    """A layer's keys epsW, momW, wc and wball, one value for each input, and epsB and momB.

    cuda-convnet's rule is  inc = mom inc + eps (g - wc w);  w += inc,  with g the mean of the batch's
    gradients [cuda-convnet2's wiki, LayerParams]. Parameters of rate 0 are frozen: backward leaves them out.

    Shared weights move by momentum, decay and norm of their owner. Each use's gradient counts by that use's
    own epsW, or by the owner's where cuda-convnet2 convolves; fastcnn takes them where both say the same.

    Args:
        owned: False for weights of another layer, or of an earlier input.
        above: how the other layers' are trained.
    """
    count = len(weights)
    rates = [_rate(params, "epsW", text) for text in _per_input(params, "epsW", count)]
    momenta = [_momentum(params, "momW", value) for value in params.reals("momW", count)]
    decays = params.reals("wc", count, 0.0, least=0.0)
    norms = params.reals("wball", count, 0.0, least=0.0)
    updates = [
        _update(f"{params.name}.epsW[{i}]", weights[i], rates[i], momenta[i], decays[i], norms[i])
        for i in range(count)
        if owned[i]
    ]
    _check_shared_rates(params, weights, rates, {id(u.parameter): u for u in (*above, *updates)})
    rate = _rate(params, "epsB", params.text("epsB"))
    updates.append(_update(f"{params.name}.epsB", bias, rate, _momentum(params, "momB", params.real("momB"))))
    _refuse_unsupported(params)
    return updates


def _update(
    name: str,
    parameter: nn.Parameter,
    rate: Rate,
    momentum: float,
    decay: float = 0.0,
    norm: float = 0.0,
) -> Update:
    if rate.base == 0:
        parameter.requires_grad = False
    settings = {
        "lr": rate.base,
        "momentum": momentum,
        "weight_decay": decay,
        "lr_in_velocity": True,
        "filter_norm": norm,
    }
    return Update(name, parameter, settings, rate)


def _check_shared_rates(
    params: Section, weights: list[nn.Parameter], rates: list[Rate], owners: dict[int, Update]
) -> None:
    for weight, rate in zip(weights, rates, strict=True):
        owner = owners[id(weight)]
        if owner.rate.base != 0 and rate != owner.rate:
            raise params.error(
                f"epsW is not that of the shared weights, {owner.name}, "
                f"which begin at {owner.rate.base:g}; other rates for one use of them are not supported",
                "epsW",
            )


def _momentum(params: Section, key: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise params.error(f"{key} is {value:g}, expected from 0 to 1", key)
    return value


def _per_input(params: Section, key: str, count: int) -> list[str]:
    parts = params.words(key)
    if len(parts) not in (1, count):
        raise params.error(f"{key} has {len(parts)} values for {count} inputs", key)
    return parts * count if len(parts) == 1 else parts


def _rate(params: Section, key: str, text: str) -> Rate:
    """0.001, or a schedule such as dexp[base=0.01;tgtFactor=250;numSteps=4]."""
    rate = _number_or_schedule(params, key, text)
    if not rate.base >= 0:
        raise params.error(f"{key} is {rate.base:g}, expected at least 0", key)
    return rate


def _number_or_schedule(params: Section, key: str, text: str) -> Rate:
    if _NUMBER.match(text):
        return Rate(float(text))
    match = _SCHEDULE.match(text)
    if not match or match[1].lower() not in _SCHEDULES:
        raise params.error(f"{key} is {text!r}, expected a number, {_FORMS}", key)
    kind = match[1].lower()
    fields = [part.partition("=") for part in (match[2] or "").split(";")]
    given = {name.strip().lower(): value.strip() for name, _, value in fields}
    if set(given) != {name.lower() for name in _SCHEDULES[kind]}:
        raise params.error(f"{key} is {text!r}, expected {_form(kind)}", key)
    try:
        factor = finite(given.get("tgtfactor", "1"))
        rate = Rate(finite(given["base"]), kind, factor, int(given.get("numsteps", 1)))
        rate.curve()  # checks factor and steps
    except ValueError as error:
        raise params.error(f"{key} is {text!r}: {error}", key) from error
    return rate


def _form(kind: str) -> str:
    return f"{kind}[{';'.join(f'{name}=...' for name in _SCHEDULES[kind])}]"


_FORMS = " or ".join(_form(kind) for kind in _SCHEDULES)


def _refuse_unsupported(params: Section) -> None:
    params.ignore("superEps", "superMom")  # cuda-convnet2 reads them, and uses them nowhere
    if params.integer("updatePeriod", 0, least=0) > 1:
        raise params.error("updatePeriod: fastcnn updates the weights after every batch", "updatePeriod")
