"""Checkpoints: one safetensors file with weights, optimiser state, counters and random state.

Keys: "model.<path>" for weights, "optimizer.<state>.<number>" for optimiser states, "extra.<name>" for more;
the header's metadata has the rest as JSON under "fastcnn", and a checksum of all tensors (CRC-32, by name).
Numbers are stored as they are, so a resumed run goes on to the bit.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastcnn import random
from fastcnn._arrays import Array
from fastcnn.nn.module import Module
from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.plateau import ReduceLROnPlateau
from fastcnn.optim.schedule import Schedule

_FORMAT = 1
_WEIGHTS = "model."
_OPTIMIZER = "optimizer."
_EXTRA = "extra."


class CheckpointError(ValueError):
    """A file that isn't a whole checkpoint, or one of another model; the message names it."""


class Saved(NamedTuple):
    """What a checkpoint says beside weights and optimiser state."""

    step: int
    epoch: int
    metadata: dict[str, Any]
    tensors: dict[str, Array]


def save_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Optimizer | None = None,
    *,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    step: int = 0,
    epoch: int = 0,
    metadata: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Array] | None = None,
) -> None:
    """Writes a checkpoint, whole or not at all: an existing file is replaced at the very end, when the new
    one is on the disk.

    Args:
        optimizer: its settings and states are saved, too.
        schedule: where it stands is saved, too.
        step, epoch: how far training has come.
        metadata: more to keep, as JSON has it.
        tensors: more arrays to keep, by name.

    Raises:
        ImportError: safetensors isn't installed.
        OSError: the file can't be written; an existing one stays as it was.
        TypeError: metadata that JSON doesn't have.
    """
    arrays = {_WEIGHTS + name: array for name, array in model.state_dict().items()}
    arrays.update({_EXTRA + name: np.ascontiguousarray(a) for name, a in (tensors or {}).items()})
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
        described["optimizer"] = _kind(optimizer)
        for name, of_parameters in state.items():
            if name != "param_groups":
                arrays.update({f"{_OPTIMIZER}{name}.{i}": array for i, array in of_parameters.items()})
    if schedule is not None:
        described["schedule"] = schedule.state_dict()
    described["crc32"] = _checksum(arrays)
    data: bytes = _safetensors().save(arrays, metadata={"fastcnn": json.dumps(described)})
    write_atomically(Path(path), data)


def load_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Optimizer | None = None,
    *,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    restore_random: bool = True,
) -> Saved:
    """Reads a checkpoint into a model and an optimiser of the same structure; all or, when it raises,
    nothing.

    Args:
        optimizer: takes over settings and states; the checkpoint must have them.
        schedule: of that optimiser, made as that of the saved run; goes on where it stood.
        restore_random: goes on with the random numbers of the saved run.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: the file is truncated or broken, or doesn't fit model or optimiser.
        ImportError: safetensors isn't installed.
    """
    described, tensors = _read(Path(path))
    weights = {name[len(_WEIGHTS) :]: a for name, a in tensors.items() if name.startswith(_WEIGHTS)}
    states = _optimizer_states(tensors)
    extra = {name[len(_EXTRA) :]: a for name, a in tensors.items() if name.startswith(_EXTRA)}
    before = model.state_dict()
    stood = None if schedule is None else schedule.state_dict()
    rates = [] if optimizer is None else [dict(group) for group in optimizer.param_groups]
    try:
        step, epoch, metadata = int(described["step"]), int(described["epoch"]), dict(described["metadata"])
        saved = described["random"]
        random_state = random.RandomState(seed=saved["seed"], fills=saved["fills"], steps=saved["steps"])
        if optimizer is not None and "param_groups" not in described:
            raise ValueError("it has no optimiser state")
        kind = described.get("optimizer", "SGD")  # older files name none
        if optimizer is not None and kind != _kind(optimizer):
            raise ValueError(f"its optimiser is {kind}, expected {_kind(optimizer)}")
        if schedule is not None and "schedule" not in described:
            raise ValueError("it has no state of a schedule")
        if schedule is not None:
            schedule.load_state_dict(described["schedule"])
        model.load_state_dict(weights)
        if optimizer is not None:
            optimizer.load_state_dict({**states, "param_groups": described["param_groups"]})
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
    return Saved(step, epoch, metadata, extra)


def load_weights(path: str | os.PathLike[str], model: Module, but: Sequence[str] = ()) -> list[str]:
    """Reads weights alone into a model, from a checkpoint or from any safetensors file that has them under
    the model's names, such as torchvision's; all or, when it raises, nothing.

    Args:
        but: parameters and buffers that keep their values, whatever the file has: their paths.

    Returns:
        the paths that were read.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: the file is broken, or doesn't fit the model.
        ImportError: safetensors isn't installed.
    """
    data = Path(path).read_bytes()
    try:
        found: dict[str, Array] = _safetensors().load(data)
    except Exception as error:
        raise CheckpointError(f"{path}: truncated or broken: {error}") from error
    of_checkpoint = {name[len(_WEIGHTS) :]: a for name, a in found.items() if name.startswith(_WEIGHTS)}
    weights = {name: a for name, a in (of_checkpoint or found).items() if name not in but}
    kept = {name: a for name, a in model.state_dict().items() if name in but}
    try:
        model.load_state_dict({**weights, **kept})
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return list(weights)


def check_file(path: Path) -> None:
    """Reads a checkpoint to its end.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: it isn't whole.
    """
    _read(path)


def split_arrays(state: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, Any], dict[str, Array]]:
    """Nested dicts without their arrays, and the arrays by path, "a/b"."""
    plain: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            arrays[prefix + name] = value
        elif isinstance(value, Mapping):
            plain[name], found = split_arrays(value, f"{prefix}{name}/")
            arrays.update(found)
        else:
            plain[name] = value
    return plain, arrays


def join_arrays(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Any]:
    """The inverse of `split_arrays`."""
    joined: dict[str, Any] = json.loads(json.dumps(plain))
    for path, array in arrays.items():
        *parents, name = path.split("/")
        place = joined
        for parent in parents:
            place = place[parent]
        place[name] = array
    return joined


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
    if described.get("crc32", _checksum(tensors)) != _checksum(tensors):  # older files have none
        raise CheckpointError(f"{path}: damaged: its numbers are not those that were saved")
    return described, tensors


def _kind(optimizer: Optimizer) -> str:
    """The class of this package that it is or derives from."""
    return next(kind.__name__ for kind in type(optimizer).__mro__ if kind.__module__.startswith("fastcnn."))


def _optimizer_states(tensors: Mapping[str, Array]) -> dict[str, dict[int, Array]]:
    """What is kept of parameters, by name and number of the parameter."""
    states: dict[str, dict[int, Array]] = {}
    for key, array in tensors.items():
        if key.startswith(_OPTIMIZER):
            _, name, number = key.split(".")
            states.setdefault(name, {})[int(number)] = array
    return states


def _checksum(tensors: Mapping[str, Array]) -> int:
    checksum = 0
    for _, array in sorted(tensors.items()):
        checksum = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, checksum)
    return checksum


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("checkpoints need safetensors: pip install 'fastcnn[cli]'") from error
    return safetensors.numpy


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces the file, or leaves it as it was: aside, to the disk, then renamed."""
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
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
