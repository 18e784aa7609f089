"""What `train` trains: a named model, or the network of cuda-convnet's files."""

from __future__ import annotations

import argparse
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastcnn import convnet, data, optim
from fastcnn.cli.augment import crops
from fastcnn.cli.common import find_model
from fastcnn.cli.parser import CommandError, UsageError
from fastcnn.cli.schedules import AnySchedule, make_schedule
from fastcnn.nn import Module
from fastcnn.train import CheckpointError, freeze, freeze_all_but, load_weights
from fastcnn.train.checkpoint_folder import BEST
from fastcnn.train.finetuning import state_of

LAYER_FILE = "layers.cfg"
PARAM_FILE = "layer-params.cfg"
DEFAULTS: dict[str, Any] = {
    "batch_size": 32,
    "lr": 0.02,
    "schedule": "cosine",
    "warmup": 0.0,
    "momentum": 0.9,
    "weight_decay": 4e-3,
}
BATCH_SIZE_OF_FILES = 128  # cuda-convnet's


@dataclass
class Recipe:
    """A model and how it is trained.

    Attributes:
        model_name: as run.json keeps it.
        criterion: None for the usual one.
        schedule: makes the learning rates of a training of so many steps, and so many in an epoch.
        settings: to be kept with the result.
        files: to be copied into the run folder, by their names there.
        file_settings: options that name those copies.
    """

    model_name: str
    model: Module
    criterion: Module | None
    optimizer: optim.SGD
    schedule: Callable[[int, int], AnySchedule]
    preprocessing: data.Preprocessing | data.MeanImage
    settings: dict[str, Any]
    files: dict[str, Path] = field(default_factory=dict)
    file_settings: dict[str, str] = field(default_factory=dict)

    def copy_files(self, folder: Path) -> None:
        """Puts the network's own files beside the result."""
        for name, path in self.files.items():
            shutil.copyfile(path, folder / name)


def make_recipe(arguments: argparse.Namespace, dataset: data.Dataset) -> Recipe:
    """What the arguments of `train` ask for.

    Raises:
        UsageError: options that don't fit together, or an unknown model.
        CommandError: a file that can't be read as a network.
    """
    if arguments.model.endswith(".cfg"):
        recipe = _of_files(arguments, dataset)
    elif arguments.params is not None:
        raise UsageError("--params needs a layer file (.cfg) as MODEL")
    else:
        recipe = _of_name(arguments, dataset)
    try:
        if arguments.weights is not None:
            _begin_with(recipe.model, Path(arguments.weights), arguments.reset or [])
        if arguments.train_only is not None:
            freeze_all_but(recipe.model, *arguments.train_only)
        if arguments.freeze is not None:
            freeze(recipe.model, *arguments.freeze)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return recipe


def _begin_with(model: Module, source: Path, fresh: list[str]) -> None:
    """Reads weights, but those of the layers `fresh`; ValueError where one of these is unknown."""
    path = source / BEST if source.is_dir() else source
    try:
        load_weights(path, model, state_of(model, *fresh))
    except CheckpointError as error:
        raise CommandError(f"{error}; --reset LAYER leaves a layer out") from error
    except ImportError as error:
        raise CommandError(str(error)) from error


def _of_name(arguments: argparse.Namespace, dataset: data.Dataset) -> Recipe:
    entry = find_model(arguments.model)
    settings = {
        name: default if getattr(arguments, name) is None else getattr(arguments, name)
        for name, default in DEFAULTS.items()
    }
    model = entry.build(dataset.num_classes)
    optimizer = optim.SGD(
        model.parameters(),
        lr=settings["lr"],
        momentum=settings["momentum"],
        weight_decay=settings["weight_decay"],
    )
    return Recipe(
        arguments.model,
        model,
        None,
        optimizer,
        lambda steps, epoch: make_schedule(settings["schedule"], settings["warmup"], optimizer, steps, epoch),
        data.Preprocessing.fit(
            dataset.train.images,
            entry.input_shape,
            crop=crops(arguments.augment, dataset, entry.input_shape),
        ),
        settings,
    )


def _of_files(arguments: argparse.Namespace, dataset: data.Dataset) -> Recipe:
    if arguments.params is None:
        raise UsageError(f"{arguments.model} needs --params, its parameter file")
    warmup = arguments.warmup or 0.0
    if warmup and arguments.schedule is None:
        raise UsageError("--warmup needs --schedule, which then holds instead of the parameter file's")
    for option in ("lr", "momentum", "weight_decay"):
        if getattr(arguments, option) is not None:
            raise UsageError(f"--{option.replace('_', '-')}: the parameter file says that")
    preprocessing = data.MeanImage.fit(dataset.train.images)
    network = load_files(
        Path(arguments.model), arguments.params, preprocessing.input_shape, dataset.num_classes
    )
    if network.targets != [1] or len(network.model.data_layers) != 1:
        what = "images (dataIdx=0) for layers and labels (dataIdx=1) for costs"
        raise CommandError(f"{arguments.model}: `train` has {what}, nothing else")
    optimizer = network.optimizer()
    settings = {
        "batch_size": arguments.batch_size or BATCH_SIZE_OF_FILES,
        "schedule": arguments.schedule,
        "warmup": warmup,
    }

    def schedule(steps: int, epoch: int) -> AnySchedule:
        if arguments.schedule is None:
            return network.schedule(optimizer, steps)
        return make_schedule(arguments.schedule, warmup, optimizer, steps, epoch)

    return Recipe(
        LAYER_FILE,
        network.model,
        network.criterion,
        optimizer,
        schedule,
        preprocessing,
        settings,
        {LAYER_FILE: Path(arguments.model), PARAM_FILE: Path(arguments.params)},
        {"model": LAYER_FILE, "params": PARAM_FILE},
    )


def load_files(
    layers: Path, params: Path, input_shape: tuple[int, int, int], num_classes: int
) -> convnet.Network:
    """`convnet.load`; CommandError instead of ConfigError, and warnings as lines on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            network = convnet.load(layers, params, input_shape, num_classes)
        except convnet.ConfigError as error:
            raise CommandError(str(error)) from error
    for warning in caught:
        print(f"fastcnn: warning: {warning.message}", file=sys.stderr)
    return network
