"""`fastcnn summary MODEL`: layers, shapes, parameters and multiply-adds."""

from __future__ import annotations

import argparse

from fastcnn.cli.common import add_json, find_model, print_json

HELP = "show a model's layers, their output shapes, parameters and multiply-adds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model's name, such as lenet")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    entry = find_model(arguments.model)
    summary = entry.build(entry.num_classes).summary((1, *entry.input_shape))
    if not arguments.json:
        print(summary)
        return
    print_json({"model": arguments.model, **summary.to_dict()})
