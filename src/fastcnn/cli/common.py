"""Options and steps that several commands share."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import fastcnn
from fastcnn import models
from fastcnn.cli.parser import CommandError, UsageError, whole
from fastcnn.data import Loader
from fastcnn.train import Evaluation, Trainer


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads",
        type=whole(1, 1024),
        metavar="N",
        help="threads (default: what CPU affinity and quota allow)",
    )


def add_batch_size(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--batch-size",
        type=whole(1),
        default=default,
        metavar="N",
        help="images per batch (default: %(default)s)",
    )


def set_threads(threads: int | None) -> None:
    """Follows --threads, if given."""
    if threads is not None:
        fastcnn.set_num_threads(threads)


def find_model(name: str) -> models.Entry:
    """The registered model; UsageError with the near name where there is none."""
    try:
        return models.find(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def data_source(name_or_folder: str) -> str:
    """What run.json keeps to find the data again from anywhere: the name, or the folder's full path."""
    folder = Path(name_or_folder).expanduser()
    return str(folder.resolve()) if name_or_folder != "digits" and folder.is_dir() else name_or_folder


def evaluate(trainer: Trainer, batches: Loader) -> Evaluation:
    """Loss and accuracy on test batches.

    Raises:
        CommandError: there are none, or the loss is not a number.
    """
    if len(batches) == 0:
        raise CommandError("no test images to evaluate on")
    result = trainer.evaluate(batches)
    if not math.isfinite(result.loss):
        raise CommandError(f"the test loss is {result.loss}: training diverged; lower --lr")
    return result


def check_target(path: Path) -> None:
    """Looks, before the work begins, whether there can be such a file.

    Raises:
        CommandError: there is no folder for it, or a folder in its place.
    """
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent}: no such folder")
    if path.is_dir():
        raise CommandError(f"{path}: is a folder, expected the name of a file")


def print_json(result: dict[str, Any]) -> None:
    """One JSON object on one line; floating-point numbers must be finite, as JSON has no others."""
    print(json.dumps(result, allow_nan=False))
