"""`fastcnn train`: train a named model, or the network of cuda-convnet's files, on a dataset."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fastcnn
from fastcnn import data, optim
from fastcnn.cli.augment import make_augmentation
from fastcnn.cli.common import data_source, evaluate, print_json, set_threads
from fastcnn.cli.config import CONFIG, versions_changed, write_config
from fastcnn.cli.parser import CommandError
from fastcnn.cli.recipe import Recipe, make_recipe
from fastcnn.cli.run_folder import (
    LOG,
    Run,
    checkpoint_of,
    prepared_folder,
    read_log,
    reopened_folder,
    write_description,
)
from fastcnn.cli.settings import Settings, check, settings_of
from fastcnn.cli.train_options import add_arguments
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

__all__ = ["HELP", "add_arguments", "run"]

HELP = "train a model; the defaults train lenet on the embedded digits"
_CHECKED_IMAGES = 4


@dataclass
class _Job:
    """A recipe and the batches for it."""

    dataset: data.Dataset  # without the images held out for validation
    recipe: Recipe
    train: data.Loader
    validation: data.Loader | None
    test: data.Loader


def run(arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments)
    looks_only = arguments.check_grads or arguments.find_lr
    folder = None if looks_only else arguments.resume or arguments.out
    check(settings, folder)
    set_threads(settings.threads)
    with ExitStack() as stack:
        if arguments.resume is not None:
            stack.enter_context(reopened_folder(arguments.resume))
            _tell_changes(arguments.resume)
            settings = replace(settings, weights=None, reset=None)  # the checkpoint has them
        dataset = data.load(settings.data)
        if folder is not None and arguments.resume is None:
            stack.enter_context(prepared_folder(folder))
        job = _prepare(settings, dataset)
        if arguments.check_grads:
            _check_gradients(job.recipe, job.train, arguments.json)
        elif arguments.find_lr:
            _find_lr(_make_trainer(settings, job), job.train, arguments.json)
        else:
            metrics = _train(settings, job, folder, resumes=arguments.resume is not None)
            _report(settings.model, folder, arguments.json, job.dataset.name, metrics)


def _prepare(settings: Settings, dataset: data.Dataset) -> _Job:
    fastcnn.manual_seed(settings.seed)
    held_out = None
    if settings.validation is not None:
        dataset, held_out = dataset.hold_out(settings.validation, settings.seed)
        if len(held_out) == 0:
            raise CommandError(f"--validation {settings.validation} of {dataset.name} holds no image out")
    recipe = make_recipe(settings, dataset)
    train, test = dataset.batches(
        recipe.preprocessing,
        settings.batch_size,
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
    return _Job(dataset, recipe, train, validation, test)


def _train(settings: Settings, job: _Job, folder: Path | None, *, resumes: bool) -> dict[str, Any]:
    """Trains, tests and writes the run folder; returns the metrics."""
    trainer = _make_trainer(settings, job)
    source = data_source(settings.data)
    options = {**settings.to_dict(), **job.recipe.file_settings, "data": source}
    if folder is not None and not resumes:
        job.recipe.copy_files(folder)
        write_config(folder, options)
    history = _fit(settings, trainer, job, folder, resumes)
    tested = evaluate(Trainer(job.recipe.model, job.recipe.criterion), job.test)
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
            model=job.recipe.model_name,
            data=source,
            class_names=job.dataset.class_names,
            preprocessing=job.recipe.preprocessing,
            settings=options,
            metrics=metrics,
        )
        write_description(folder, description)
    return metrics


def _tell_changes(folder: Path) -> None:
    changes = versions_changed(folder / CONFIG)
    if changes:
        print(
            f"{folder} began on another version; last bits may differ: {', '.join(changes)}", file=sys.stderr
        )


def _make_trainer(settings: Settings, job: _Job) -> Trainer:
    recipe, steps = job.recipe, len(job.train)
    schedule = recipe.schedule(settings.epochs * steps, steps)
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


def _fit(settings: Settings, trainer: Trainer, job: _Job, folder: Path | None, resumes: bool) -> History:
    interrupt = Interrupt()
    callbacks = _callbacks(settings, folder)
    if folder is not None:
        callbacks.append(interrupt)
    how = "" if folder is None else f"; go on with: fastcnn train --resume {folder}"
    try:
        checkpoint = checkpoint_of(folder) if folder is not None and resumes else None
        history = trainer.fit(job.train, settings.epochs, job.validation, callbacks, resume=checkpoint)
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


def _callbacks(settings: Settings, folder: Path | None) -> list[Callback]:
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
