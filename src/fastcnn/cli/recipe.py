"""What `train` trains: a named model, or the network of cuda-convnet's files."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastcnn import convnet, data, optim
from fastcnn.cli.augment import crops
from fastcnn.cli.common import find_model
from fastcnn.cli.optimizers import make_optimizer
from fastcnn.cli.parser import CommandError, UsageError
from fastcnn.cli.schedules import AnySchedule, make_schedule
from fastcnn.cli.settings import Settings
from fastcnn.nn import Module
from fastcnn.train import CheckpointError, freeze, freeze_all_but, load_weights
from fastcnn.train.checkpoint_folder import BEST
from fastcnn.train.finetuning import state_of

LAYER_FILE = "layers.cfg"
PARAM_FILE = "layer-params.cfg"


@dataclass
class Recipe:
    """A model and how it is trained.

    Attributes:
        model_name: as run.json keeps it.
        criterion: None for the usual one.
        schedule: makes the learning rates of a training of so many steps, and so many in an epoch.
        files: to be copied into the run folder, by their names there.
        file_settings: options that name those copies.
    """

    model_name: str
    model: Module
    criterion: Module | None
    optimizer: optim.Optimizer
    schedule: Callable[[int, int], AnySchedule]
    preprocessing: data.Preprocessing | data.MeanImage
    files: dict[str, Path] = field(default_factory=dict)
    file_settings: dict[str, str] = field(default_factory=dict)

    def copy_files(self, folder: Path) -> None:
        """Puts the network's own files beside the result."""
        for name, path in self.files.items():
            shutil.copyfile(path, folder / name)


def make_recipe(settings: Settings, dataset: data.Dataset) -> Recipe:
    """The network and optimiser of a training's settings.

    Raises:
        UsageError: options that don't fit together, or an unknown model.
        CommandError: a file that can't be read as a network.
    """
    if settings.is_layer_file:
        recipe = _of_files(settings, dataset)
    elif settings.params is not None:
        raise UsageError("--params needs a layer file (.cfg) as MODEL")
    else:
        recipe = _of_name(settings, dataset)
    try:
        if settings.weights is not None:
            _begin_with(recipe.model, Path(settings.weights), settings.reset or [])
        if settings.train_only is not None:
            freeze_all_but(recipe.model, *settings.train_only)
        if settings.freeze is not None:
            freeze(recipe.model, *settings.freeze)
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


def _of_name(settings: Settings, dataset: data.Dataset) -> Recipe:
    assert settings.lr is not None
    assert settings.schedule is not None
    assert settings.optimizer is not None
    schedule, warmup = settings.schedule, settings.warmup
    entry = find_model(settings.model)
    model = entry.build(dataset.num_classes)
    optimizer = make_optimizer(settings.optimizer, model, settings.lr, settings.optimizer_options)
    return Recipe(
        settings.model,
        model,
        None,
        optimizer,
        lambda steps, epoch: make_schedule(schedule, warmup, optimizer, steps, epoch),
        data.Preprocessing.fit(
            dataset.train.images,
            entry.input_shape,
            crop=crops(settings.augment, dataset, entry.input_shape),
        ),
    )


def _of_files(settings: Settings, dataset: data.Dataset) -> Recipe:
    _check_of_files(settings)
    assert settings.params is not None
    preprocessing = data.MeanImage.fit(dataset.train.images)
    network = load_files(
        Path(settings.model), settings.params, preprocessing.input_shape, dataset.num_classes
    )
    if network.targets != [1] or len(network.model.data_layers) != 1:
        what = "images (dataIdx=0) for layers and labels (dataIdx=1) for costs"
        raise CommandError(f"{settings.model}: `train` has {what}, nothing else")
    optimizer = network.optimizer()

    def schedule(steps: int, epoch: int) -> AnySchedule:
        if settings.schedule is None:
            return network.schedule(optimizer, steps)
        return make_schedule(settings.schedule, settings.warmup, optimizer, steps, epoch)

    return Recipe(
        LAYER_FILE,
        network.model,
        network.criterion,
        optimizer,
        schedule,
        preprocessing,
        {LAYER_FILE: Path(settings.model), PARAM_FILE: settings.params},
        {"model": LAYER_FILE, "params": PARAM_FILE},
    )


def _check_of_files(settings: Settings) -> None:
    """Raises UsageError for what the parameter file says, and for what it needs."""
    if settings.params is None:
        raise UsageError(f"{settings.model} needs --params, its parameter file")
    if settings.warmup and settings.schedule is None:
        raise UsageError("--warmup needs --schedule, which then overrides the parameter file's")
    given = [name for name in ("optimizer", "lr") if getattr(settings, name) is not None]
    given += settings.optimizer_options
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')}: the parameter file says that")


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
