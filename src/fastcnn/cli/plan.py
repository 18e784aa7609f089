"""`fastcnn plan MODEL`: how a model's steps could be shared among many cores."""

from __future__ import annotations

import argparse

import numpy as np

import fastcnn
from fastcnn.cli.common import add_batch_size, add_json, find_model, print_json
from fastcnn.cli.parser import whole
from fastcnn.inspect.scaling import scaling

HELP = "show the parallel tasks of each step, and the bound on the speed-up by many cores"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs a model on one thread, and computes from its parallel tasks and its serial share a bound on "
        "the speed-up of each step on more cores. Memory bandwidth, which cores share, is left out."
    )
    parser.add_argument("model", metavar="MODEL", help="a model's name, such as resnet18")
    parser.add_argument(
        "--cores",
        type=whole(1),
        nargs="+",
        default=[4, 16, 64],
        metavar="N",
        help="numbers of cores (default: 4 16 64)",
    )
    add_batch_size(parser, 1)
    parser.add_argument("--train", action="store_true", help="a training step instead of inference")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    entry = find_model(arguments.model)
    fastcnn.manual_seed(0)
    model = entry.build(entry.num_classes)
    random = np.random.default_rng(0)
    x = random.standard_normal((arguments.batch_size, *entry.input_shape), np.float32)
    y = random.integers(0, entry.num_classes, arguments.batch_size) if arguments.train else None
    result = scaling(model, x, y, arguments.cores)
    if arguments.json:
        print_json({"model": arguments.model, "train": arguments.train, **result.to_dict()})
    else:
        print(result)
