"""A run folder: what `train --out` leaves for `eval` and `predict`, and for `train --resume`.

RUN/config.toml           every option, and the versions that it began with
RUN/log.jsonl             a JSON object per epoch
RUN/last.safetensors      where training stands; previous.safetensors: where it stood before
RUN/best.safetensors      the network: the best epoch's weights, without validation the last epoch's
RUN/run.json              of a finished run: model, data, class names, preprocessing, settings, metrics
RUN/layers.cfg, RUN/layer-params.cfg   of a network that was read from cuda-convnet's files
RUN/tensorboard/          with --tensorboard
RUN/.lock                 who writes to the folder, while somebody does
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastcnn import models
from fastcnn.cli.config import CONFIG
from fastcnn.cli.lock import locked
from fastcnn.cli.parser import CommandError
from fastcnn.cli.recipe import LAYER_FILE, PARAM_FILE, load_files
from fastcnn.data import MeanImage, Preprocessing, preprocessing_from_dict
from fastcnn.nn import Module
from fastcnn.train import CheckpointError, load_checkpoint
from fastcnn.train.checkpoint import write_atomically
from fastcnn.train.checkpoint_folder import BEST, LAST, PREVIOUS, find_checkpoint

LOG = "log.jsonl"
_DESCRIPTION = "run.json"
_NO_PACKAGES = "run folders need safetensors and tomli-w: pip install 'fastcnn[cli]'"


@dataclass(frozen=True)
class Run:
    """What run.json says."""

    version: str
    model: str
    data: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing | MeanImage
    settings: dict[str, Any]
    metrics: dict[str, Any]


@contextmanager
def prepared_folder(folder: Path) -> Iterator[None]:
    """A folder for a new run, made before training starts, so that what can't be written costs nothing; no
    other process writes to it meanwhile.

    Raises:
        CommandError: it can't be made or written, another process writes to it, it already holds a run, or a
            package is missing.
    """
    _need_packages()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder}: can't make this folder: {error.strerror}") from error
    with locked(folder):
        if (folder / _DESCRIPTION).exists():
            raise CommandError(f"{folder} already holds a run; choose another --out or remove it")
        if (folder / CONFIG).exists():
            raise CommandError(
                f"{folder} holds an unfinished run; go on with --resume {folder}, or remove it"
            )
        yield


@contextmanager
def reopened_folder(folder: Path) -> Iterator[None]:
    """A folder with a run to go on with; no other process writes to it meanwhile.

    Raises:
        CommandError: the run is finished, another process writes to it, or a package is missing.
    """
    _need_packages()
    with locked(folder):
        if (folder / _DESCRIPTION).exists():
            raise CommandError(f"{folder}: this run is finished; try: fastcnn eval {folder}")
        yield


def _need_packages() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("safetensors", "tomli_w")):
        raise CommandError(_NO_PACKAGES)


def checkpoint_of(folder: Path) -> Path | None:
    """Where an unfinished run goes on; None: at its beginning. Says on stderr what is damaged.

    Raises:
        CheckpointError: all that is there is damaged.
    """
    if not any((folder / name).exists() for name in (LAST, PREVIOUS)):
        return None
    path, damaged = find_checkpoint(folder)
    for message in damaged:
        print(f"{message}; going on from {path}, the one before", file=sys.stderr)
    return path


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run, finished or not, as RUN/log.jsonl has them.

    Raises:
        CommandError: there is no log, or an empty or broken one.
    """
    path = folder / LOG
    if not path.is_file():
        raise CommandError(f"{folder} has no curves: there is no {LOG} in it")
    # A line without an end is being written.
    lines = path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    try:
        log = [json.loads(line) for line in lines]
        if not all(isinstance(entry, dict) and "epoch" in entry for entry in log):
            raise ValueError("a line that is no epoch")
    except ValueError as error:
        raise CommandError(f"{path}: broken: {error}") from error
    if not log:
        raise CommandError(f"{folder} has no curves: {LOG} has no epochs yet")
    return log


def write_description(folder: Path, run: Run) -> None:
    """Writes run.json; a folder that has it is complete."""
    fields = {**asdict(run), "preprocessing": run.preprocessing.to_dict()}
    write_atomically(folder / _DESCRIPTION, (json.dumps(fields, indent=2) + "\n").encode())


def read_run(folder: Path) -> Run:
    """Reads run.json.

    Raises:
        CommandError: no run is there, or it isn't finished, or its description is broken.
    """
    path = folder / _DESCRIPTION
    if not path.is_file():
        if (folder / CONFIG).is_file():
            raise CommandError(f"{folder}: this run is not finished; try: fastcnn train --resume {folder}")
        raise CommandError(f"{folder} is not a run folder: no {_DESCRIPTION} in it")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Run(
            version=str(fields["version"]),
            model=str(fields["model"]),
            data=str(fields["data"]),
            class_names=tuple(map(str, fields["class_names"])),
            preprocessing=preprocessing_from_dict(fields["preprocessing"]),
            settings=dict(fields["settings"]),
            metrics=dict(fields["metrics"]),
        )
    except KeyError as error:
        raise CommandError(f"{path}: broken: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise CommandError(f"{path}: broken: {error}") from error


def load_trained(folder: Path, run: Run) -> tuple[Module, Module | None]:
    """The trained model, and its criterion where it has one of its own.

    Raises:
        CommandError: the model is unknown here, or the checkpoint is missing, broken or of another model.
    """
    path = folder / BEST
    try:
        model, criterion = _build(folder, run)
        load_checkpoint(path, model)
    except FileNotFoundError as error:
        raise CommandError(f"{path}: no such file") from error
    except ImportError as error:
        raise CommandError(_NO_PACKAGES) from error
    except CheckpointError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        raise CommandError(f"{folder / _DESCRIPTION}: {error}") from error
    return model, criterion


def _build(folder: Path, run: Run) -> tuple[Module, Module | None]:
    classes = len(run.class_names)
    if run.model != LAYER_FILE:
        return models.find(run.model).build(classes), None
    network = load_files(folder / LAYER_FILE, folder / PARAM_FILE, run.preprocessing.input_shape, classes)
    return network.model, network.criterion
