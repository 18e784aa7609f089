"""Layers that stay as they are, or start anew."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from fastcnn._names import did_you_mean
from fastcnn.engine.parameter import Parameter
from fastcnn.nn.module import Module
from fastcnn.optim.optimizer import Optimizer


def freeze(model: Module, *layers: str) -> list[str]:
    """Parameters of these layers, of all when none are named, keep their values: `requires_grad` is False,
    and no time is spent on their gradients. Running statistics of batch norms go on moving in training.

    Args:
        layers: paths of modules or parameters, "layer1" or "conv1.bias", * standing for anything: "conv*".

    Returns:
        the parameters' paths.

    Raises:
        ValueError: a path fits nothing.
    """
    return _set(model, layers, False)


def unfreeze(model: Module, *layers: str) -> list[str]:
    """The inverse of `freeze`."""
    return _set(model, layers, True)


def freeze_all_but(model: Module, *layers: str) -> list[str]:
    """Freezes everything but these layers, such as the head alone: freeze_all_but(model, "fc8").

    Returns:
        paths of the parameters that go on training.

    Raises:
        ValueError: a path fits nothing; then nothing is frozen.
    """
    if not layers:
        raise ValueError("freeze_all_but: name the layers that go on training")
    chosen = _choose(model, layers)
    freeze(model)
    for parameter in chosen.values():
        parameter.requires_grad = True
    return list(chosen)


def reset(model: Module, *layers: str, optimizer: Optimizer | None = None) -> list[str]:
    """Draws new parameters for these layers, as their kinds do when they are made; running statistics start
    anew, too.

    Args:
        layers: paths of modules, * standing for anything.
        optimizer: forgets the states of those parameters.

    Returns:
        the layers' paths.

    Raises:
        ValueError: a path fits nothing that has parameters.
    """
    if not layers:
        raise ValueError("reset: name the layers to draw anew")
    modules = {name: m for name, m in model.named_modules() if hasattr(m, "reset_parameters")}
    chosen = [name for name in modules if any(_fits(name, layer) for layer in layers)]
    for layer in layers:
        if not any(_fits(name, layer) for name in chosen):
            raise ValueError(f"no layer with parameters fits {layer!r}{did_you_mean(layer, modules)}")
    drawn: list[Parameter] = []
    for name in chosen:
        modules[name].reset_parameters()
        drawn.extend(modules[name].parameters())
    if optimizer is not None:
        optimizer.forget(drawn)
    return chosen


def state_of(model: Module, *layers: str) -> list[str]:
    """Paths of the parameters and buffers of these layers.

    Raises:
        ValueError: a path fits nothing.
    """
    _choose(model, layers)
    return [name for name, _ in model.named_state() if any(_fits(name, layer) for layer in layers)]


def _set(model: Module, layers: tuple[str, ...], trains: bool) -> list[str]:
    chosen = _choose(model, layers or ("*",))
    for parameter in chosen.values():
        parameter.requires_grad = trains
    return list(chosen)


def _choose(model: Module, layers: tuple[str, ...]) -> dict[str, Parameter]:
    parameters = dict(model.named_parameters())
    for layer in layers:
        if not any(_fits(name, layer) for name in parameters):
            known = [*parameters, *(name for name, _ in model.named_modules())]
            raise ValueError(f"no parameter fits {layer!r}{did_you_mean(layer, known)}")
    return {name: p for name, p in parameters.items() if any(_fits(name, layer) for layer in layers)}


def _fits(name: str, layer: str) -> bool:
    """Whether a path is the layer's or below it."""
    return any(fnmatchcase(path, layer) for path in _ancestors(name))


def _ancestors(name: str) -> Iterator[str]:
    """The path, and those above it."""
    while name:
        yield name
        name = name.rpartition(".")[0]
