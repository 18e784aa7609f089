"""`fastcnn models`: the networks that have a name."""

from __future__ import annotations

import argparse

from fastcnn.cli.common import add_json, print_json
from fastcnn.models import REGISTRY

HELP = "list the models: what each reads, its parameters, and where it comes from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    if arguments.json:
        keys = ("input_shape", "num_classes", "parameters", "about")
        rows = {name: {key: getattr(entry, key) for key in keys} for name, entry in REGISTRY.items()}
        print_json({"models": rows})
        return
    width = max(map(len, REGISTRY))
    for name, entry in REGISTRY.items():
        shape = "×".join(map(str, entry.input_shape))
        print(f"{name:<{width}}  {shape:<9}  {entry.parameters:>11,}  {entry.about}")
