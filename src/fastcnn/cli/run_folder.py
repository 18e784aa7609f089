"""A run folder: what `train --out` leaves for `eval` and `predict`.

RUN/run.json                 model, data, class names, preprocessing, settings, metrics
RUN/checkpoint.safetensors   weights, optimiser state, step
RUN/layers.cfg, RUN/layer-params.cfg   of a network that was read from cuda-convnet's files
"""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastcnn import models
from fastcnn.cli.parser import CommandError
from fastcnn.cli.recipe import LAYER_FILE, PARAM_FILE, load_files
from fastcnn.data import MeanImage, Preprocessing, preprocessing_from_dict
from fastcnn.nn import Module
from fastcnn.train import CheckpointError, Trainer, load_checkpoint, save_checkpoint

_CHECKPOINT = "checkpoint.safetensors"
_DESCRIPTION = "run.json"
_NO_SAFETENSORS = "run folders need safetensors: pip install 'fastcnn[cli]'"


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


def prepare_folder(folder: Path) -> None:
    """Makes the folder before training starts, so that what can't be written costs nothing.

    Raises:
        CommandError: it can't be made, already holds a run, or safetensors is missing.
    """
    if importlib.util.find_spec("safetensors") is None:
        raise CommandError(_NO_SAFETENSORS)
    if (folder / _DESCRIPTION).exists():
        raise CommandError(f"{folder} already holds a run; choose another --out or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder}: can't make this folder: {error.strerror}") from error


def write_run(folder: Path, run: Run, trainer: Trainer, step: int) -> None:
    """Writes the checkpoint, then run.json, each whole or not at all: a folder with run.json is complete."""
    save_checkpoint(
        folder / _CHECKPOINT,
        trainer.model,
        trainer.optimizer,
        schedule=trainer.schedule,
        step=step,
        epoch=int(run.settings["epochs"]),
    )
    write_description(folder, run)


def write_description(folder: Path, run: Run) -> None:
    """Writes run.json."""
    partial = folder / f"{_DESCRIPTION}.partial"
    fields = {**asdict(run), "preprocessing": run.preprocessing.to_dict()}
    partial.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, folder / _DESCRIPTION)


def read_run(folder: Path) -> Run:
    """Reads run.json.

    Raises:
        CommandError: no run is there, or its description is broken.
    """
    path = folder / _DESCRIPTION
    if not path.is_file():
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
    path = folder / _CHECKPOINT
    try:
        model, criterion = _build(folder, run)
        load_checkpoint(path, model)
    except FileNotFoundError as error:
        raise CommandError(f"{path}: no such file") from error
    except ImportError as error:
        raise CommandError(_NO_SAFETENSORS) from error
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
