"""What one training is made of, from the command line, a TOML file and defaults.

One rule says which value holds: command-line options override the file (--config, or config.toml of the run
that --resume goes on with), which overrides the defaults of the model. Where the command line names another
optimiser than the file, the file's settings of its optimiser, the learning rate among them, don't count.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fastcnn.cli import optimizers
from fastcnn.cli.config import CONFIG, read_config
from fastcnn.cli.parser import Parser, UsageError
from fastcnn.cli.train_options import BATCH_SIZE, BATCH_SIZE_OF_FILES, add_arguments

_MAY_CHANGE = ("threads", "workers")  # in a resume: the same bits


@dataclass
class Settings:
    """The options of `train` that make the result, by their long names; None where nothing is set.

    Attributes:
        optimizer_options: those of `optimizers.OPTIONS` that are set.
    """

    model: str = "lenet"
    params: Path | None = None
    data: str = "digits"
    epochs: int = 25
    seed: int = 0
    threads: int | None = None
    augment: str | None = None
    workers: int | None = None
    balanced: bool | None = None
    validation: float | None = None
    patience: int | None = None
    batch_size: int = BATCH_SIZE
    lr: float | None = None
    schedule: str | None = None
    warmup: float = 0.0
    optimizer: str | None = None
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    label_smoothing: float | None = None
    accumulate: int | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    on_nan: str = "stop"
    ema: float | None = None
    swa: int | None = None
    watch: bool | None = None
    weights: str | None = None
    reset: list[str] | None = None
    freeze: list[str] | None = None
    train_only: list[str] | None = None
    checkpoint_every: int | None = None
    tensorboard: bool | None = None

    @property
    def is_layer_file(self) -> bool:
        return self.model.endswith(".cfg")

    def to_dict(self) -> dict[str, Any]:
        """All that are set, flat, as config.toml and run.json have them."""
        flat: dict[str, Any] = {}
        for name in _NAMES:
            value = getattr(self, name)
            flat.update(value if name == "optimizer_options" else {name: value})
        return {name: value for name, value in flat.items() if value is not None}


_NAMES = [entry.name for entry in fields(Settings)]


def settings_of(arguments: argparse.Namespace) -> Settings:
    """What the arguments of `train` ask for, by the rule above.

    Raises:
        UsageError: options given beside --resume.
        CommandError: the file can't be read, or has what is no option.
    """
    options = {*_NAMES, *optimizers.OPTIONS}
    given = {name: value for name, value in vars(arguments).items() if name in options and value is not None}
    file = _file_of(arguments, given)
    stored = {} if file is None else read_config(file, _parser())
    if given.get("optimizer") not in (None, stored.get("optimizer", optimizers.DEFAULT)):
        stored = {name: value for name, value in stored.items() if name not in ("lr", *optimizers.OPTIONS)}
    chosen = {**stored, **given}
    chosen = {**_defaults(chosen.get("model", Settings.model), chosen.get("optimizer")), **chosen}
    if "weights" in chosen:
        chosen["weights"] = str(Path(chosen["weights"]).resolve())
    own = {name: chosen.pop(name) for name in optimizers.OPTIONS if name in chosen}
    return Settings(**chosen, optimizer_options=own)


def check(settings: Settings, folder: Path | None) -> None:
    """Raises UsageError for options that need others."""
    if settings.patience is not None and settings.validation is None:
        raise UsageError("--patience needs --validation")
    if settings.is_layer_file and "mixup" in (settings.augment or ""):
        raise UsageError("--augment mixup: a layer file's costs take labels, not mixtures of them")
    if settings.is_layer_file and settings.label_smoothing:
        raise UsageError("--label-smoothing: a layer file's costs take labels as they are")
    for name in ("checkpoint_every", "tensorboard"):
        if getattr(settings, name) is not None and folder is None:
            raise UsageError(f"--{name.replace('_', '-')} needs --out")
    if settings.optimizer is not None:
        taken = optimizers.KINDS[settings.optimizer].defaults
        for name in settings.optimizer_options:
            if name not in taken:
                what = f"--optimizer {settings.optimizer} has no such setting; it has "
                listed = ", ".join(f"--{known.replace('_', '-')}" for known in ("lr", *taken))
                raise UsageError(f"--{name.replace('_', '-')}: {what}{listed}")
    if settings.reset is not None and settings.weights is None:
        raise UsageError("--reset needs --weights")


def _file_of(arguments: argparse.Namespace, given: Mapping[str, Any]) -> Path | None:
    """The TOML file to read, if any; UsageError where --resume leaves no choice."""
    if arguments.resume is None:
        config: Path | None = arguments.config
        return config
    others = [name for name in given if name not in _MAY_CHANGE]
    others += [name for name in ("out", "config") if getattr(arguments, name) is not None]
    if others:
        option = "MODEL" if others[0] == "model" else f"--{others[0].replace('_', '-')}"
        raise UsageError(f"--resume goes on as the run was begun: {option} doesn't go with it")
    folder: Path = arguments.resume
    return folder / CONFIG


def _defaults(model: str, optimizer: str | None) -> dict[str, Any]:
    """The defaults that depend on the model and the optimiser; all others are those of Settings."""
    if model.endswith(".cfg"):  # the parameter file says the rest
        return {"batch_size": BATCH_SIZE_OF_FILES}
    name = optimizer or optimizers.DEFAULT
    kind = optimizers.KINDS[name]
    return {"lr": kind.lr, "schedule": "cosine", "optimizer": name, **kind.defaults}


def _parser() -> Parser:
    parser = Parser(prog="fastcnn train", add_help=False)
    add_arguments(parser)
    return parser
