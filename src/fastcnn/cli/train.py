"""`fastcnn train`: train a named model, or the network of cuda-convnet's files, on a dataset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import fastcnn
from fastcnn import data, optim
from fastcnn.cli.augment import add_batch_options, make_augmentation
from fastcnn.cli.common import add_json, add_threads, data_source, evaluate, print_json, set_threads
from fastcnn.cli.config import CONFIG, settings_of, versions_changed, write_config
from fastcnn.cli.parser import CommandError, UsageError, real, whole
from fastcnn.cli.recipe import BATCH_SIZE_OF_FILES, DEFAULTS, Recipe, make_recipe
from fastcnn.cli.run_folder import (
    LOG,
    Run,
    checkpoint_of,
    prepare_folder,
    read_log,
    reopen_folder,
    write_description,
)
from fastcnn.cli.schedules import add_schedule
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
_OWN_DEFAULTS: dict[str, Any] = {
    "model": "lenet",
    "data": "digits",
    "epochs": 25,
    "seed": 0,
    "on_nan": "stop",
}

HELP = "train a model; the defaults train lenet on the embedded digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Trains a model by SGD with momentum on the cross-entropy. Unless --schedule says otherwise, the "
        "learning rate falls from --lr to 0 over the whole run, as half a cosine. The network of a layer "
        "file of cuda-convnet is trained on its own costs, by what its parameter file says."
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a model's name, or a layer file of cuda-convnet (.cfg); default: lenet",
    )
    parser.add_argument("--params", type=Path, metavar="FILE", help="the layer file's parameter file")
    parser.add_argument(
        "--data",
        metavar="NAME|FOLDER|FILE",
        help="digits, mnist, fashion-mnist, cifar10, cifar100 (`fastcnn fetch` downloads them), a folder of "
        "IDX files, of CIFAR's binary files or of images, or an .npz of x_train, y_train, x_test, y_test "
        "(default: digits)",
    )
    parser.add_argument(
        "--epochs", type=whole(1), metavar="N", help="times through the training images (default: 25)"
    )
    parser.add_argument(
        "--seed", type=whole(0), metavar="N", help="of weights, order, changes, dropout (default: 0)"
    )
    add_threads(parser)
    _add_images(parser)
    _add_optimizer(parser)
    _add_step(parser)
    _add_layers(parser)
    _add_run(parser)
    parser.add_argument(
        "--check-grads",
        action="store_true",
        help="instead of training, compare gradients with finite differences in float64, on a few images, "
        "and say per parameter how far they are; exit code 1 if some differ",
    )
    parser.add_argument(
        "--find-lr",
        action="store_true",
        help="instead of training, try rates from 1e-5 to 1 and say where the loss falls most steeply",
    )
    add_json(parser)


def _add_number(parser: Any, name: str, expected: str, fits: Any, text: str) -> None:
    default = DEFAULTS.get(name[2:].replace("-", "_"))
    text += "" if default is None else f" (default: {default})"
    parser.add_argument(name, type=real(expected, fits), metavar="X", help=text)


def _add_images(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the images")
    add_batch_options(group)
    group.add_argument(
        "--balanced",
        action="store_true",
        default=None,
        help="show every class equally often, however many images it has",
    )
    group.add_argument(
        "--validation",
        type=real("between 0 and 1", lambda number: 0 < number < 1),
        metavar="SHARE",
        help="keep this share of each class's training images out, for a look after each epoch; the weights "
        "of the best epoch are kept",
    )
    group.add_argument(
        "--patience",
        type=whole(0),
        metavar="EPOCHS",
        help="stop when the validation loss has not improved for more than so many",
    )


def _add_optimizer(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the optimiser")
    group.add_argument(
        "--batch-size",
        type=whole(1),
        metavar="N",
        help=f"images at once (default: {DEFAULTS['batch_size']}, of a layer file {BATCH_SIZE_OF_FILES})",
    )
    _add_number(group, "--lr", "above 0", lambda number: number > 0, "learning rate")
    add_schedule(group)
    share = ("from 0 to below 1", lambda number: 0 <= number < 1)
    _add_number(group, "--momentum", *share, "share of the last update that goes on")
    decay = "lambda of the penalty lambda/2 |w|²"
    _add_number(group, "--weight-decay", "of at least 0", lambda number: number >= 0, decay)
    smoothing = (
        "spread this share of each target evenly over the classes; losses shown while it trains are then of "
        "these targets, the test loss is not"
    )
    _add_number(group, "--label-smoothing", "from 0 to 1", lambda number: 0 <= number <= 1, smoothing)


def _add_step(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the step")
    group.add_argument(
        "--accumulate", type=whole(1), metavar="N", help="each batch in N parts, for the memory of one"
    )
    above = ("above 0", lambda number: number > 0)
    _add_number(group, "--clip-norm", *above, "largest norm of the gradients")
    _add_number(group, "--clip-value", *above, "largest magnitude of a gradient's element")
    group.add_argument(
        "--on-nan",
        choices=("stop", "skip"),
        help="where numbers are not finite: stop and name the layer, or skip the step (default: stop)",
    )
    below_one = ("from 0 to below 1", lambda number: 0 <= number < 1)
    _add_number(group, "--ema", *below_one, "average the weights, keeping this share of the average per step")
    group.add_argument(
        "--swa", type=whole(1), metavar="EPOCH", help="average the weights after each epoch from this one on"
    )
    group.add_argument(
        "--watch",
        action="store_true",
        default=None,
        help="log the gradients' norm, and print for each parameter its mean magnitude and its last update's",
    )


def _add_layers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("layers; * stands for anything: 'conv*'")
    group.add_argument("--weights", metavar="RUN|FILE", help="begin with those of a run or a checkpoint")
    group.add_argument(
        "--reset", nargs="+", metavar="LAYER", help="but not with those of these layers, such as the head"
    )
    group.add_argument("--freeze", nargs="+", metavar="LAYER", help="these keep their weights")
    group.add_argument("--train-only", nargs="+", metavar="LAYER", help="all but these keep their weights")


def _add_run(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the run's folder")
    group.add_argument(
        "--out", type=Path, metavar="RUN", help="new folder for the result, for eval and predict"
    )
    group.add_argument(
        "--checkpoint-every",
        type=whole(1),
        metavar="STEPS",
        help="save where training stands every so many steps, not only after epochs",
    )
    group.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with an unfinished run, to the same bits"
    )
    group.add_argument(
        "--config", type=Path, metavar="FILE", help="take options from a run's config.toml; others go before"
    )
    group.add_argument("--tensorboard", action="store_true", default=None, help="also write RUN/tensorboard")


def run(arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments, add_arguments, _OWN_DEFAULTS)
    looks_only = arguments.check_grads or arguments.find_lr
    folder = None if looks_only else arguments.resume or arguments.out
    _check(settings, folder)
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


def _check(settings: argparse.Namespace, folder: Path | None) -> None:
    """Raises UsageError for options that need others."""
    if settings.patience is not None and settings.validation is None:
        raise UsageError("--patience needs --validation")
    if settings.model.endswith(".cfg") and "mixup" in (settings.augment or ""):
        raise UsageError("--augment mixup: a layer file's costs take labels, not mixtures of them")
    if settings.model.endswith(".cfg") and settings.label_smoothing:
        raise UsageError("--label-smoothing: a layer file's costs take labels as they are")
    for name in ("checkpoint_every", "tensorboard"):
        if getattr(settings, name) is not None and folder is None:
            raise UsageError(f"--{name.replace('_', '-')} needs --out")
    if settings.reset is not None and settings.weights is None:
        raise UsageError("--reset needs --weights")
    if settings.weights is not None:
        settings.weights = str(Path(settings.weights).resolve())


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
