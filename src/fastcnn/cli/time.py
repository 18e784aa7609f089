"""`fastcnn time MODEL`: how long a model takes, layer by layer."""

from __future__ import annotations

import argparse

import numpy as np

import fastcnn
from fastcnn import ceilings
from fastcnn.cli.common import add_batch_size, add_json, add_threads, find_model, print_json, set_threads

HELP = "time a model, in total and step by step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Times inference, or with --train whole training steps (forward, loss, backward, update), on random "
        "input. Medians over as many runs as two seconds hold, at least five. The floor of a step is the "
        "larger of its operations over the peak and its bytes over the bandwidth of memory, as "
        "`fastcnn info --measure` measured them; the first time, this is done here. Algorithms that save "
        "operations and what stays in the caches can be faster than that."
    )
    parser.add_argument("model", metavar="MODEL", help="a model's name, such as alexnet")
    add_batch_size(parser, 1)
    parser.add_argument("--train", action="store_true", help="training steps instead of inference")
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
    entry = find_model(arguments.model)
    if ceilings.stored() is None:
        ceilings.measure()
    fastcnn.manual_seed(0)
    model = entry.build(entry.num_classes)
    random = np.random.default_rng(0)
    x = random.standard_normal((arguments.batch_size, *entry.input_shape), np.float32)
    y = random.integers(0, entry.num_classes, arguments.batch_size) if arguments.train else None
    memory = model.memory(x.shape, training=arguments.train)
    profile = model.profile(x, y)
    if arguments.json:
        print_json({"model": arguments.model, **profile.to_dict(), "memory": memory.to_dict()})
        return
    print(profile)
    print(f"memory {memory.total / 1e6:,.1f} MB, {memory.arena / 1e6:,.1f} MB of it between the layers")
