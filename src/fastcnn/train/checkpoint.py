"""Checkpoints: one safetensors file with weights, optimiser state, counters and random state.

Keys: "model.<path>" for weights, "optimizer.velocity.<number>" for velocities; the header's metadata has the
rest as JSON under "fastcnn". Numbers are stored as they are, so a resumed run goes on to the bit.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastcnn import random
from fastcnn._arrays import Array
from fastcnn.nn.module import Module
from fastcnn.optim.plateau import ReduceLROnPlateau
from fastcnn.optim.schedule import Schedule
from fastcnn.optim.sgd import SGD

_FORMAT = 1
_WEIGHTS = "model."
_VELOCITY = "optimizer.velocity."


class CheckpointError(ValueError):
    """A file that isn't a whole checkpoint, or one of another model; the message names it."""


class Checkpoint(NamedTuple):
    """What a checkpoint says beside weights and optimiser state."""

    step: int
    epoch: int
    metadata: dict[str, Any]


def save_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: SGD | None = None,
    *,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    step: int = 0,
    epoch: int = 0,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes a checkpoint, whole or not at all: an existing file is replaced at the very end.

    Args:
        optimizer: its settings and velocities are saved, too.
        schedule: where it stands is saved, too.
        step, epoch: how far training has come.
        metadata: more to keep, as JSON has it.

    Raises:
        ImportError: safetensors isn't installed.
        TypeError: metadata that JSON doesn't have.
    """
    tensors = {_WEIGHTS + name: array for name, array in model.state_dict().items()}
    described: dict[str, Any] = {
        "format": _FORMAT,
        "step": step,
        "epoch": epoch,
        "random": random.get_state(),
        "metadata": dict(metadata or {}),
    }
    if optimizer is not None:
        state = optimizer.state_dict()
        described["param_groups"] = state["param_groups"]
        tensors.update({f"{_VELOCITY}{i}": velocity for i, velocity in state["velocity"].items()})
    if schedule is not None:
        described["schedule"] = schedule.state_dict()
    data: bytes = _safetensors().save(tensors, metadata={"fastcnn": json.dumps(described)})
    _write_atomically(Path(path), data)


def load_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: SGD | None = None,
    *,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    restore_random: bool = True,
) -> Checkpoint:
    """Reads a checkpoint into a model and an optimiser of the same structure; all or, when it raises,
    nothing.

    Args:
        optimizer: takes over settings and velocities; the checkpoint must have them.
        schedule: of that optimiser, made as that of the saved run; goes on where it stood.
        restore_random: goes on with the random numbers of the saved run.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: the file is truncated or broken, or doesn't fit model or optimiser.
        ImportError: safetensors isn't installed.
    """
    described, tensors = _read(Path(path))
    weights = {name[len(_WEIGHTS) :]: a for name, a in tensors.items() if name.startswith(_WEIGHTS)}
    velocity = {name[len(_VELOCITY) :]: a for name, a in tensors.items() if name.startswith(_VELOCITY)}
    before = model.state_dict()
    stood = None if schedule is None else schedule.state_dict()
    rates = [] if optimizer is None else [dict(group) for group in optimizer.param_groups]
    try:
        checkpoint = Checkpoint(int(described["step"]), int(described["epoch"]), dict(described["metadata"]))
        saved = described["random"]
        random_state = random.RandomState(seed=saved["seed"], fills=saved["fills"], steps=saved["steps"])
        if optimizer is not None and "param_groups" not in described:
            raise ValueError("it has no optimiser state")
        if schedule is not None and "schedule" not in described:
            raise ValueError("it has no state of a schedule")
        if schedule is not None:
            schedule.load_state_dict(described["schedule"])
        model.load_state_dict(weights)
        if optimizer is not None:
            optimizer.load_state_dict({"param_groups": described["param_groups"], "velocity": velocity})
    except (KeyError, TypeError, ValueError) as error:
        model.load_state_dict(before)
        if schedule is not None and stood is not None:
            schedule.load_state_dict(stood)
        for group, settings in zip(optimizer.param_groups if optimizer else [], rates, strict=True):
            group.update(settings)
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(f"{path}: {reason}") from error
    if restore_random:
        random.set_state(random_state)
    return checkpoint


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The description and the arrays; everything is checked here that a broken file can have wrong."""
    safetensors = _safetensors()
    data = path.read_bytes()
    try:
        tensors = safetensors.load(data)
    except Exception as error:  # safetensors has an exception of its own, and NumPy's come through
        raise CheckpointError(f"{path}: truncated or broken: {error}") from error
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        described = json.loads(header["__metadata__"]["fastcnn"])
        known = described["format"] == _FORMAT
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of fastcnn") from error
    if not known:
        raise CheckpointError(
            f"{path}: checkpoint of format {described['format']}, this version reads {_FORMAT}"
        )
    return described, tensors


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("checkpoints need safetensors: pip install 'fastcnn[cli]'") from error
    return safetensors.numpy


def _write_atomically(path: Path, data: bytes) -> None:
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
