"""`fastcnn train`: train a named model on a dataset."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import fastcnn
from fastcnn import data, optim
from fastcnn.cli.common import (
    add_batch_size,
    add_json,
    add_threads,
    data_source,
    evaluate,
    find_model,
    print_json,
    set_threads,
)
from fastcnn.cli.parser import CommandError, real, whole
from fastcnn.cli.progress import Progress
from fastcnn.cli.run_folder import Run, prepare_folder, write_run
from fastcnn.train import Trainer

HELP = "train a model; the defaults train lenet on the embedded digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Trains a model by SGD with momentum on the cross-entropy. The learning rate falls from --lr to 0 "
        "over the whole run, as half a cosine."
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", default="lenet", help="default: %(default)s")
    parser.add_argument(
        "--data",
        metavar="NAME|FOLDER",
        default="digits",
        help="digits, mnist, fashion-mnist (found through FASTCNN_DATA) or a folder with the four IDX files "
        "(default: %(default)s)",
    )
    parser.add_argument("--epochs", type=whole(1), default=25, metavar="N", help="default: %(default)s")
    add_batch_size(parser, 32)
    _add_number(parser, "--lr", 0.02, "above 0", lambda number: number > 0)
    _add_number(parser, "--momentum", 0.9, "from 0 to below 1", lambda number: 0 <= number < 1)
    _add_number(parser, "--weight-decay", 4e-3, "of at least 0", lambda number: number >= 0)
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
    add_json(parser)


def _add_number(parser: argparse.ArgumentParser, name: str, default: float, expected: str, fits: Any) -> None:
    parser.add_argument(
        name, type=real(expected, fits), default=default, metavar="X", help="default: %(default)s"
    )


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
    entry = find_model(arguments.model)
    dataset = data.load(arguments.data)
    if arguments.out is not None:
        prepare_folder(arguments.out)

    fastcnn.manual_seed(arguments.seed)
    model = entry.build(dataset.num_classes)
    optimizer = optim.SGD(
        model.parameters(),
        lr=arguments.lr,
        momentum=arguments.momentum,
        weight_decay=arguments.weight_decay,
    )
    trainer = Trainer(model, optimizer=optimizer)
    train, test = dataset.loaders(entry.input_shape, arguments.batch_size, seed=arguments.seed)

    start = time.perf_counter()
    loss, accuracy = _fit(trainer, optimizer, train, arguments.epochs, arguments.lr)
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
        names = ("epochs", "batch_size", "lr", "momentum", "weight_decay", "seed")
        description = Run(
            version=fastcnn.__version__,
            model=arguments.model,
            data=data_source(arguments.data),
            class_names=dataset.class_names,
            preprocessing=data.Preprocessing.fit(dataset.train.images, entry.input_shape),
            settings={name: getattr(arguments, name) for name in names},
            metrics=metrics,
        )
        write_run(arguments.out, description, model, optimizer, arguments.epochs * len(train))
    _report(arguments, dataset.name, metrics)


def _fit(
    trainer: Trainer, optimizer: optim.SGD, batches: data.Loader, epochs: int, lr: float
) -> tuple[float, float]:
    """Trains; returns loss and accuracy of the last epoch, over its images while they were trained on."""
    steps = epochs * len(batches)
    step = 0
    last = (math.nan, math.nan)
    with Progress(epochs, batches.samples) as progress:
        for epoch in range(epochs):
            for x, y in batches:
                optimizer.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
                result = trainer.step(x, y)
                step += 1
                if not math.isfinite(result.loss):
                    raise CommandError(f"the loss is {result.loss} in step {step}: diverged; lower --lr")
                progress.batch(result.samples, result.loss, result.correct)
            last = (progress.loss, progress.accuracy)
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
