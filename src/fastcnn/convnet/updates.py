"""How parameters are trained: the keys of weight layers in the parameter file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastcnn import nn
from fastcnn.convnet.cfg import Section
from fastcnn.optim import curves

_NUMBER = re.compile(r"[-+]?(\d+\.?|\d*\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)
_SCHEDULE = re.compile(r"(\w+)\s*(?:\[(.*)\])?$")
_SCHEDULES: dict[str, tuple[str, ...]] = {
    "const": ("base",),
    "linear": ("base", "tgtFactor"),
    "exp": ("base", "tgtFactor"),
    "dexp": ("base", "tgtFactor", "numSteps"),
}


@dataclass
class Update:
    """A parameter, its learning rate over time, and what else the optimiser needs for it.

    Attributes:
        name: the layer and key that says the rate, such as "conv5b.epsW[1]".
        settings: of the parameter's group of `optim.SGD`.
        curve: the rate as a share of settings["lr"], by the progress of training from 0 to 1.
    """

    name: str
    parameter: nn.Parameter
    settings: dict[str, Any]
    curve: curves.Curve

    def group(self) -> dict[str, Any]:
        return {"params": [self.parameter], **self.settings}


def read_updates(
    params: Section, weights: list[nn.Parameter], owned: list[bool], bias: nn.Parameter
) -> list[Update]:
    """A layer's keys epsW, momW, wc and wball, one value for each input, and epsB and momB.

    cuda-convnet's rule is  inc = mom inc + eps (g - wc w);  w += inc,  with g the mean of the batch's
    gradients [cuda-convnet2's wiki, LayerParams]. Parameters of rate 0 are frozen: backward leaves them out.

    Args:
        owned: False for the weights of another layer, which says how they are trained.
    """
    count = len(weights)
    rates = [_schedule(params, "epsW", text) for text in _per_input(params, "epsW", count)]
    momenta = params.reals("momW", count, least=0.0)
    decays = params.reals("wc", count, 0.0, least=0.0)
    norms = params.reals("wball", count, 0.0, least=0.0)
    updates = [
        _update(f"{params.name}.epsW[{i}]", weights[i], rates[i], momenta[i], decays[i], norms[i])
        for i in range(count)
        if owned[i]
    ]
    rate = _schedule(params, "epsB", params.text("epsB"))
    updates.append(_update(f"{params.name}.epsB", bias, rate, params.real("momB", least=0.0)))
    _refuse_unsupported(params)
    return updates


def _update(
    name: str,
    parameter: nn.Parameter,
    rate: tuple[float, curves.Curve],
    momentum: float,
    decay: float = 0.0,
    norm: float = 0.0,
) -> Update:
    base, curve = rate
    if base == 0:
        parameter.requires_grad = False
    settings = {
        "lr": base,
        "momentum": momentum,
        "weight_decay": decay,
        "lr_in_velocity": True,
        "filter_norm": norm,
    }
    return Update(name, parameter, settings, curve)


def _per_input(params: Section, key: str, count: int) -> list[str]:
    parts = params.words(key)
    if len(parts) not in (1, count):
        raise params.error(f"{key} has {len(parts)} values for {count} inputs", key)
    return parts * count if len(parts) == 1 else parts


def _schedule(params: Section, key: str, text: str) -> tuple[float, curves.Curve]:
    """0.001, or a schedule such as dexp[base=0.01;tgtFactor=250;numSteps=4]: its base and its curve."""
    if _NUMBER.match(text):
        return _rate(params, key, float(text)), curves.const()
    match = _SCHEDULE.match(text)
    if not match or match[1].lower() not in _SCHEDULES:
        raise params.error(f"{key} is {text!r}, expected a number, {_FORMS}", key)
    kind = match[1].lower()
    fields = [part.partition("=") for part in (match[2] or "").split(";")]
    given = {name.strip().lower(): value.strip() for name, _, value in fields}
    if set(given) != {name.lower() for name in _SCHEDULES[kind]}:
        raise params.error(f"{key} is {text!r}, expected {_form(kind)}", key)
    try:
        base = _rate(params, key, float(given["base"]))
        if kind == "const":
            return base, curves.const()
        factor = float(given["tgtfactor"])
        if kind == "dexp":
            return base, curves.dexp(factor, int(given["numsteps"]))
        return base, curves.linear(factor) if kind == "linear" else curves.exp(factor)
    except ValueError as error:
        raise params.error(f"{key} is {text!r}: {error}", key) from error


def _rate(params: Section, key: str, rate: float) -> float:
    if not rate >= 0:
        raise params.error(f"{key} is {rate}, expected at least 0", key)
    return rate


def _form(kind: str) -> str:
    return f"{kind}[{';'.join(f'{name}=...' for name in _SCHEDULES[kind])}]"


_FORMS = " or ".join(_form(kind) for kind in _SCHEDULES)


def _refuse_unsupported(params: Section) -> None:
    params.ignore("superEps", "superMom")  # cuda-convnet2 reads them, and uses them nowhere
    if params.integer("updatePeriod", 0, least=0) > 1:
        raise params.error("updatePeriod: fastcnn updates the weights after every batch", "updatePeriod")
