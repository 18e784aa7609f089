"""The options of `fastcnn train`, and which of them need others."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fastcnn.cli.augment import add_batch_options
from fastcnn.cli.common import add_json, add_threads
from fastcnn.cli.optimizers import add_optimizer_options
from fastcnn.cli.parser import real, whole
from fastcnn.cli.schedules import add_schedule

BATCH_SIZE = 32
BATCH_SIZE_OF_FILES = 128  # cuda-convnet's
LR = 0.02


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
        help=f"images at once (default: {BATCH_SIZE}, of a layer file {BATCH_SIZE_OF_FILES})",
    )
    _add_number(group, "--lr", "above 0", lambda number: number > 0, f"learning rate (default: {LR})")
    add_schedule(group)
    add_optimizer_options(group)
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
        "--config",
        type=Path,
        metavar="FILE",
        help="read options from a run's config.toml; command-line options override the file",
    )
    group.add_argument("--tensorboard", action="store_true", default=None, help="also write RUN/tensorboard")
