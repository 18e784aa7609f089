"""`fastcnn eval RUN`: a trained network on test images."""

from __future__ import annotations

import argparse
from pathlib import Path

from fastcnn import data
from fastcnn.cli.common import add_batch_size, add_json, add_threads, evaluate, print_json, set_threads
from fastcnn.cli.parser import CommandError
from fastcnn.cli.run_folder import Run, load_trained, read_run
from fastcnn.train import Trainer

HELP = "test a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `fastcnn train --out` wrote")
    parser.add_argument(
        "--data", metavar="NAME|FOLDER", help="test images (default: of the data it was trained on)"
    )
    add_batch_size(parser, 100)
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
    description = read_run(arguments.run)
    dataset = data.load(arguments.data or description.data)
    _check_fit(dataset, description)
    trainer = Trainer(*load_trained(arguments.run, description))
    test = data.Loader(
        dataset.test.images, dataset.test.labels, arguments.batch_size, transform=description.preprocessing
    )
    result = evaluate(trainer, test)
    if arguments.json:
        print_json(
            {
                "model": description.model,
                "data": dataset.name,
                "test_accuracy": result.accuracy,
                "test_loss": result.loss,
                "images": result.samples,
            }
        )
    else:
        print(
            f"{description.model} on {dataset.name}: test accuracy {result.accuracy:.4f}, "
            f"test loss {result.loss:.4f}, {result.samples:,} images"
        )


def _check_fit(dataset: data.Dataset, description: Run) -> None:
    size, expected = dataset.test.images.shape[-2:], description.preprocessing.image_size
    if size != expected:
        raise CommandError(f"{dataset.name}: images of {size}, expected {expected} as in training")
    classes = len(description.class_names)
    if dataset.num_classes > classes:
        raise CommandError(
            f"{dataset.name}: {dataset.num_classes} classes, expected {classes} as in training"
        )
