"""`fastcnn train`: train a named model, or the network of cuda-convnet's files, on a dataset."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import fastcnn
from fastcnn import data, optim
from fastcnn.cli.common import add_json, add_threads, data_source, evaluate, print_json, set_threads
from fastcnn.cli.parser import CommandError, real, whole
from fastcnn.cli.progress import Progress
from fastcnn.cli.recipe import BATCH_SIZE_OF_FILES, DEFAULTS, Recipe, make_recipe
from fastcnn.cli.run_folder import Run, prepare_folder, write_run
from fastcnn.cli.schedules import add_schedule
from fastcnn.train import Trainer, gradcheck

_CHECKED_IMAGES = 4

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
        default="lenet",
        help="a model's name, or a layer file of cuda-convnet (.cfg); default: %(default)s",
    )
    parser.add_argument("--params", type=Path, metavar="FILE", help="the layer file's parameter file")
    parser.add_argument(
        "--data",
        metavar="NAME|FOLDER|FILE",
        default="digits",
        help="digits, mnist, fashion-mnist (found through FASTCNN_DATA), a folder with the four IDX files, "
        "or an .npz of x_train, y_train, x_test, y_test (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=whole(1), default=25, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--batch-size",
        type=whole(1),
        metavar="N",
        help=f"images at once (default: {DEFAULTS['batch_size']}, of a layer file {BATCH_SIZE_OF_FILES})",
    )
    _add_number(parser, "--lr", "above 0", lambda number: number > 0)
    add_schedule(parser)
    _add_number(parser, "--momentum", "from 0 to below 1", lambda number: 0 <= number < 1)
    _add_number(parser, "--weight-decay", "of at least 0", lambda number: number >= 0)
    parser.add_argument(
        "--seed",
        type=whole(0),
        default=0,
        metavar="N",
        help="of weights, order, dropout (default: %(default)s)",
    )
    add_threads(parser)
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="new folder for the result, for eval and predict"
    )
    parser.add_argument(
        "--check-grads",
        action="store_true",
        help="instead of training, compare gradients with finite differences in float64, on a few images, "
        "and say per parameter how far they are; exit code 1 if some differ",
    )
    add_json(parser)


def _add_number(parser: argparse.ArgumentParser, name: str, expected: str, fits: Any) -> None:
    default = DEFAULTS[name[2:].replace("-", "_")]
    parser.add_argument(name, type=real(expected, fits), metavar="X", help=f"default: {default}")


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
    dataset = data.load(arguments.data)
    if arguments.out is not None and not arguments.check_grads:
        prepare_folder(arguments.out)

    fastcnn.manual_seed(arguments.seed)
    recipe = make_recipe(arguments, dataset)
    train, test = dataset.batches(recipe.preprocessing, recipe.settings["batch_size"], seed=arguments.seed)
    if arguments.check_grads:
        _check_gradients(recipe, train, arguments.json)
        return
    schedule = recipe.schedule(arguments.epochs * len(train), len(train))
    by_epoch = isinstance(schedule, optim.ReduceLROnPlateau)
    trainer = Trainer(
        recipe.model, recipe.criterion, recipe.optimizer, schedule, "epoch" if by_epoch else "step"
    )

    start = time.perf_counter()
    loss, accuracy = _fit(trainer, train, arguments.epochs)
    seconds = time.perf_counter() - start
    tested = evaluate(trainer, test)
    metrics = {
        "train_loss": loss,
        "train_accuracy": accuracy,
        "test_loss": tested.loss,
        "test_accuracy": tested.accuracy,
        "epochs": arguments.epochs,
        "seconds": seconds,
        "images_per_second": arguments.epochs * len(dataset.train) / seconds,
    }
    if arguments.out is not None:
        recipe.copy_files(arguments.out)
        description = Run(
            version=fastcnn.__version__,
            model=recipe.model_name,
            data=data_source(arguments.data),
            class_names=dataset.class_names,
            preprocessing=recipe.preprocessing,
            settings={"epochs": arguments.epochs, "seed": arguments.seed, **recipe.settings},
            metrics=metrics,
        )
        write_run(arguments.out, description, trainer, arguments.epochs * len(train))
    _report(arguments, dataset.name, metrics)


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


def _fit(trainer: Trainer, batches: data.Loader, epochs: int) -> tuple[float, float]:
    """Trains; returns loss and accuracy of the last epoch, over its images while they were trained on."""
    step = 0
    last = (math.nan, math.nan)
    with Progress(epochs, batches.samples) as progress:
        for epoch in range(epochs):
            for x, y in batches:
                result = trainer.step(x, y)
                step += 1
                if not math.isfinite(result.loss):
                    raise CommandError(f"the loss is {result.loss} in step {step}: diverged; lower --lr")
                progress.batch(result.samples, result.loss, result.correct)
            last = (progress.loss, progress.accuracy)
            if isinstance(trainer.schedule, optim.ReduceLROnPlateau):
                trainer.schedule.step(progress.loss)
            progress.end_epoch(epoch)
    return last


def _report(arguments: argparse.Namespace, data_name: str, metrics: dict[str, Any]) -> None:
    out = None if arguments.out is None else str(arguments.out)
    if arguments.json:
        threads = fastcnn.num_threads()
        print_json({"model": arguments.model, "data": data_name, **metrics, "threads": threads, "out": out})
        return
    print(
        f"{arguments.model} on {data_name}: test accuracy {metrics['test_accuracy']:.4f}, "
        f"test loss {metrics['test_loss']:.4f}; "
        f"trained {metrics['epochs']} epochs in {metrics['seconds']:.1f} s, "
        f"{metrics['images_per_second']:,.0f} images/s"
    )
    if out is not None:
        print(f"written to {out}; try: fastcnn eval {out}")
