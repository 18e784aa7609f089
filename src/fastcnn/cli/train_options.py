"""The options of `fastcnn train`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fastcnn.cli.augment import add_batch_options
from fastcnn.cli.common import add_json, add_threads
from fastcnn.cli.optimizers import LR_HELP, add_optimizer_options
from fastcnn.cli.parser import real, whole
from fastcnn.cli.schedules import add_schedule

BATCH_SIZE = 32
BATCH_SIZE_OF_FILES = 128  # cuda-convnet's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Trains a model by gradient descent on the cross-entropy loss. Unless --schedule says otherwise, "
        "the learning rate falls from --lr to 0 over the whole run, as half a cosine. The network of a layer "
        "file of cuda-convnet is trained on its own costs, with the rates of its parameter file."
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
        "--epochs", type=whole(1), metavar="N", help="passes over the training images (default: 25)"
    )
    parser.add_argument(
        "--seed",
        type=whole(0),
        metavar="N",
        help="of weights, order of images, augmentation, dropout (default: 0)",
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
        "and print the error of each parameter; exit code 1 if any differ",
    )
    parser.add_argument(
        "--find-lr",
        action="store_true",
        help="instead of training, a learning rate range test from 1e-5 to 1: print where the loss falls "
        "most steeply",
    )
    add_json(parser)


def _add_number(parser: Any, name: str, expected: str, fits: Any, text: str) -> None:
    parser.add_argument(name, type=real(expected, fits), metavar="X", help=text)


def _add_images(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    add_batch_options(group)
    group.add_argument(
        "--balanced",
        action="store_true",
        default=None,
        help="sample every class equally often, however many images it has",
    )
    group.add_argument(
        "--validation",
        type=real("between 0 and 1", lambda number: 0 < number < 1),
        metavar="SHARE",
        help="hold out this share of each class's training images for validation after each epoch; the "
        "weights of the best epoch are kept",
    )
    group.add_argument(
        "--patience",
        type=whole(0),
        metavar="EPOCHS",
        help="early stopping: stop when the validation loss has not improved for more than so many epochs",
    )


def _add_optimizer(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("optimiser")
    group.add_argument(
        "--batch-size",
        type=whole(1),
        metavar="N",
        help=f"images per batch (default: {BATCH_SIZE}, of a layer file {BATCH_SIZE_OF_FILES})",
    )
    _add_number(group, "--lr", "above 0", lambda number: number > 0, LR_HELP)
    add_optimizer_options(group)
    add_schedule(group)
    smoothing = (
        "spread this share of each target evenly over the classes; losses shown during training are then of "
        "these targets, the test loss is not"
    )
    _add_number(group, "--label-smoothing", "from 0 to 1", lambda number: 0 <= number <= 1, smoothing)


def _add_step(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training step")
    group.add_argument(
        "--accumulate",
        type=whole(1),
        metavar="N",
        help="accumulate the gradients of each batch over N parts, in the memory of one",
    )
    above = ("above 0", lambda number: number > 0)
    _add_number(group, "--clip-norm", *above, "clip the norm of all gradients to this")
    _add_number(group, "--clip-value", *above, "clip each element of the gradients to this magnitude")
    group.add_argument(
        "--on-nan",
        choices=("stop", "skip"),
        help="if a number is not finite: stop and name the layer, or skip the step (default: stop)",
    )
    below_one = ("from 0 to below 1", lambda number: 0 <= number < 1)
    _add_number(
        group, "--ema", *below_one, "exponential moving average of the weights, with this decay per step"
    )
    group.add_argument(
        "--swa",
        type=whole(1),
        metavar="EPOCH",
        help="stochastic weight averaging: after each epoch from this one on",
    )
    group.add_argument(
        "--watch",
        action="store_true",
        default=None,
        help="log the norm of the gradients, and print the mean magnitude of each parameter and of its "
        "last update",
    )


def _add_layers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("fine-tuning; * in the name of a layer matches anything: 'conv*'")
    group.add_argument(
        "--weights", metavar="RUN|FILE", help="start from the weights of a run or a checkpoint"
    )
    group.add_argument(
        "--reset",
        nargs="+",
        metavar="LAYER",
        help="with --weights: initialise these layers anew, such as the head",
    )
    group.add_argument("--freeze", nargs="+", metavar="LAYER", help="don't train these layers")
    group.add_argument("--train-only", nargs="+", metavar="LAYER", help="train these layers only")


def _add_run(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("run folder")
    group.add_argument(
        "--out",
        type=Path,
        metavar="RUN",
        help="new folder for the result, which eval, predict, show and report read",
    )
    group.add_argument(
        "--checkpoint-every",
        type=whole(1),
        metavar="STEPS",
        help="write a checkpoint every so many steps, not only after each epoch",
    )
    group.add_argument(
        "--resume", type=Path, metavar="RUN", help="resume an unfinished run, to the same bits"
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="read options from a run's config.toml; command-line options override the file",
    )
    group.add_argument("--tensorboard", action="store_true", default=None, help="also write RUN/tensorboard")
