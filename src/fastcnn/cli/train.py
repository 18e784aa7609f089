"""`fastcnn train`: train a named model, or the network of cuda-convnet's files, on a dataset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import fastcnn
from fastcnn import data, optim
from fastcnn.cli.augment import make_augmentation
from fastcnn.cli.common import data_source, evaluate, print_json, set_threads
from fastcnn.cli.config import CONFIG, settings_of, versions_changed, write_config
from fastcnn.cli.parser import CommandError
from fastcnn.cli.recipe import Recipe, make_recipe
from fastcnn.cli.run_folder import (
    LOG,
    Run,
    checkpoint_of,
    prepare_folder,
    read_log,
    reopen_folder,
    write_description,
)
from fastcnn.cli.train_options import OWN_DEFAULTS, add_arguments, check
from fastcnn.nn import CrossEntropyLoss
from fastcnn.train import (
    EMA,
    SWA,
    Callback,
    Checkpoint,
    CheckpointError,
    EarlyStopping,
    GradientNorm,
    History,
    Interrupt,
    JSONLog,
    NonFiniteError,
    Progress,
    TensorBoard,
    Trainer,
    UpdateRatio,
    gradcheck,
    lr_range_test,
)

_CHECKED_IMAGES = 4
HELP = "train a model; the defaults train lenet on the embedded digits"


def run(arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments, add_arguments, OWN_DEFAULTS)
    looks_only = arguments.check_grads or arguments.find_lr
    folder = None if looks_only else arguments.resume or arguments.out
    check(settings, folder)
    set_threads(settings)
    if arguments.resume is not None:
        reopen_folder(arguments.resume)
        _tell_changes(arguments.resume)
        settings.weights = settings.reset = None  # the checkpoint has them
    dataset = data.load(settings.data)
    if folder is not None and arguments.resume is None:
        prepare_folder(folder)

    fastcnn.manual_seed(settings.seed)
    held_out = None
    if settings.validation is not None:
        dataset, held_out = dataset.hold_out(settings.validation, settings.seed)
        if len(held_out) == 0:
            raise CommandError(f"--validation {settings.validation} of {dataset.name} holds no image out")
    recipe = make_recipe(settings, dataset)
    train, test = dataset.batches(
        recipe.preprocessing,
        recipe.settings["batch_size"],
        seed=settings.seed,
        augment=make_augmentation(settings.augment, dataset, recipe.preprocessing),
        balanced=bool(settings.balanced),
        workers=settings.workers,
    )
    validation = None
    if held_out is not None:
        validation = data.Loader(
            held_out.images, held_out.labels, test.batch_size, transform=recipe.preprocessing
        )
    if arguments.check_grads:
        _check_gradients(recipe, train, arguments.json)
        return
    trainer = _make_trainer(settings, recipe, train)
    if arguments.find_lr:
        _find_lr(trainer, train, arguments.json)
        return

    options = {
        **vars(settings),
        **recipe.settings,
        **recipe.file_settings,
        "data": data_source(settings.data),
    }
    options = {name: value for name, value in options.items() if value is not None}
    if folder is not None and arguments.resume is None:
        recipe.copy_files(folder)
        write_config(folder, options)
    history = _fit(settings, trainer, train, validation, folder, arguments.resume is not None)
    tested = evaluate(Trainer(recipe.model, recipe.criterion), test)
    metrics = {
        "train_loss": history[-1].train_loss,
        "train_accuracy": history[-1].train_accuracy,
        "test_loss": tested.loss,
        "test_accuracy": tested.accuracy,
        "epochs": len(history),
        **_speed(history, folder),
    }
    if folder is not None:
        description = Run(
            version=fastcnn.__version__,
            model=recipe.model_name,
            data=data_source(settings.data),
            class_names=dataset.class_names,
            preprocessing=recipe.preprocessing,
            settings=options,
            metrics=metrics,
        )
        write_description(folder, description)
    _report(settings.model, folder, arguments.json, dataset.name, metrics)


def _tell_changes(folder: Path) -> None:
    changes = versions_changed(folder / CONFIG)
    if changes:
        print(
            f"{folder} began on another version; last bits may differ: {', '.join(changes)}", file=sys.stderr
        )


def _make_trainer(settings: argparse.Namespace, recipe: Recipe, train: data.Loader) -> Trainer:
    schedule = recipe.schedule(settings.epochs * len(train), len(train))
    by_epoch = isinstance(schedule, optim.ReduceLROnPlateau)
    smoothing = settings.label_smoothing
    return Trainer(
        recipe.model,
        CrossEntropyLoss(label_smoothing=smoothing) if smoothing else recipe.criterion,
        recipe.optimizer,
        schedule,
        "epoch" if by_epoch else "step",
        accumulate=settings.accumulate or 1,
        clip_norm=settings.clip_norm,
        clip_value=settings.clip_value,
        on_nan="skip" if settings.on_nan == "skip" else "raise",
    )


def _fit(
    settings: argparse.Namespace,
    trainer: Trainer,
    train: data.Loader,
    validation: data.Loader | None,
    folder: Path | None,
    resumes: bool,
) -> History:
    interrupt = Interrupt()
    callbacks = _callbacks(settings, folder)
    if folder is not None:
        callbacks.append(interrupt)
    how = "" if folder is None else f"; go on with: fastcnn train --resume {folder}"
    try:
        checkpoint = checkpoint_of(folder) if folder is not None and resumes else None
        history = trainer.fit(train, settings.epochs, validation, callbacks, resume=checkpoint)
    except NonFiniteError as error:
        kept = "" if folder is None else f"; {folder} keeps the last good checkpoint"
        raise CommandError(
            f"{error}: diverged; lower --lr, or give --clip-norm or --on-nan=skip{kept}"
        ) from error
    except CheckpointError as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt as error:  # the second, or there is nothing to save
        raise KeyboardInterrupt(f"interrupted{how}") from error
    except OSError as error:
        raise CommandError(f"{error.filename or folder}: {error.strerror or error}{how}") from error
    if interrupt.stopped:
        raise KeyboardInterrupt(f"interrupted after step {trainer.steps}{how}")
    return history


def _callbacks(settings: argparse.Namespace, folder: Path | None) -> list[Callback]:
    callbacks: list[Callback] = [GradientNorm(), UpdateRatio(show=True)] if settings.watch else []
    if settings.ema is not None:
        callbacks.append(EMA(settings.ema))
    if settings.swa is not None:
        callbacks.append(SWA(settings.swa))
    if settings.validation is not None:
        callbacks.append(EarlyStopping(patience=settings.patience))
    callbacks.insert(0, Progress())
    if folder is not None:
        callbacks.append(JSONLog(folder / LOG))
        if settings.tensorboard:
            try:
                callbacks.append(TensorBoard(folder / "tensorboard"))
            except ImportError as error:
                raise CommandError(str(error)) from error
        callbacks.append(Checkpoint(folder, settings.checkpoint_every))
    return callbacks


def _check_gradients(recipe: Recipe, batches: data.Loader, as_json: bool) -> None:
    """Prints what gradcheck finds.

    Raises:
        CommandError: gradients differ.
    """
    x, y = next(iter(batches))
    result = gradcheck(recipe.model, x[:_CHECKED_IMAGES], y[:_CHECKED_IMAGES], criterion=recipe.criterion)
    if as_json:
        print_json(result.to_dict())
    else:
        print(result)
    if not result:
        raise CommandError(f"gradients differ from finite differences in {', '.join(result.failed_layers)}")


def _find_lr(trainer: Trainer, batches: data.Loader, as_json: bool) -> None:
    try:
        result = lr_range_test(trainer, batches)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json(result._asdict())
    else:
        print(result)


def _speed(history: History, folder: Path | None) -> dict[str, float]:
    """Seconds of all steps, and images per second; those before a resume are in the log."""
    epochs = [epoch.to_dict() for epoch in history] if folder is None else read_log(folder)
    timed = [(epoch["samples"], epoch["seconds"]) for epoch in epochs if epoch["seconds"]]
    seconds = sum(seconds for _, seconds in timed)
    return {
        "seconds": seconds,
        "images_per_second": sum(samples for samples, _ in timed) / max(seconds, 1e-9),
    }


def _report(model: str, folder: Path | None, as_json: bool, data_name: str, metrics: dict[str, Any]) -> None:
    out = None if folder is None else str(folder)
    if as_json:
        print_json(
            {"model": model, "data": data_name, **metrics, "threads": fastcnn.num_threads(), "out": out}
        )
        return
    print(
        f"{model} on {data_name}: test accuracy {metrics['test_accuracy']:.4f}, "
        f"test loss {metrics['test_loss']:.4f}; "
        f"trained {metrics['epochs']} epochs in {metrics['seconds']:.1f} s, "
        f"{metrics['images_per_second']:,.0f} images/s"
    )
    if out is not None:
        print(f"written to {out}; try: fastcnn eval {out}")
