"""`fastcnn summary MODEL`: layers, shapes, parameters, multiply-adds and memory."""

from __future__ import annotations

import argparse

from fastcnn.cli.common import add_json, find_model, print_json

HELP = "show a model's layers, their output shapes, parameters, multiply-adds and memory"

_TRAINING_BATCH = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model's name, such as lenet")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    entry = find_model(arguments.model)
    model = entry.build(entry.num_classes)
    summary = model.summary((1, *entry.input_shape))
    inference = model.memory((1, *entry.input_shape), training=False)
    training = model.memory((_TRAINING_BATCH, *entry.input_shape))
    if not arguments.json:
        print(summary)
        print(
            f"memory: {inference.total / 1e6:,.1f} MB for one image, "
            f"{training.total / 1e6:,.1f} MB to train on {_TRAINING_BATCH} at a time"
        )
        return
    memory = {"inference_1": inference.to_dict(), f"training_{_TRAINING_BATCH}": training.to_dict()}
    print_json({"model": arguments.model, **summary.to_dict(), "memory": memory})
