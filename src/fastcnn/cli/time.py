"""`fastcnn time MODEL`: how long a model takes, layer by layer."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import numpy as np

import fastcnn
from fastcnn.cli.common import add_batch_size, add_json, add_threads, find_model, print_json, set_threads
from fastcnn.cli.timing import ModelTime, time_inference, time_training

HELP = "time a model, in total and layer by layer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Times inference, or with --train whole training steps (forward, loss, backward, update), on random "
        "input. Medians over as many runs as two seconds hold, at least five."
    )
    parser.add_argument("model", metavar="MODEL", help="a model's name, such as alexnet")
    add_batch_size(parser, 1)
    parser.add_argument("--train", action="store_true", help="training steps instead of inference")
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
    entry = find_model(arguments.model)
    fastcnn.manual_seed(0)
    model = entry.build(entry.num_classes)
    random = np.random.default_rng(0)
    x = random.standard_normal((arguments.batch_size, *entry.input_shape), np.float32)
    if arguments.train:
        result = time_training(model, x, random.integers(0, entry.num_classes, arguments.batch_size))
    else:
        result = time_inference(model, x)
    images_per_second = 1e3 * arguments.batch_size / result.median_ms
    if not arguments.json:
        _print_table(result)
        print(
            f"{'training step' if arguments.train else 'inference'} of {arguments.batch_size} images, "
            f"{fastcnn.num_threads()} threads, {result.runs} runs: median {result.median_ms:.3f} ms, "
            f"best {result.best_ms:.3f} ms; {images_per_second:,.0f} images/s"
        )
        return
    print_json(
        {
            "model": arguments.model,
            "train": arguments.train,
            "batch_size": arguments.batch_size,
            "threads": fastcnn.num_threads(),
            "images_per_second": images_per_second,
            "median_ms": result.median_ms,
            "best_ms": result.best_ms,
            "runs": result.runs,
            "rest_ms": result.rest_ms,
            "layers": [{**asdict(layer), "median_ms": layer.median_ms} for layer in result.layers],
        }
    )


def _print_table(result: ModelTime) -> None:
    rows = [("layer", "op", "algorithm", "forward ms", "backward ms", "share")]
    for layer in result.layers:
        forward = f"{layer.forward_ms:.3f}"
        backward = f"{layer.backward_ms:.3f}" if layer.backward_ms else ""
        share = f"{layer.median_ms / result.median_ms:.1%}"
        rows.append((layer.name, layer.kind, layer.algorithm, forward, backward, share))
    rows.append(("rest", "", "", f"{result.rest_ms:.3f}", "", f"{result.rest_ms / result.median_ms:.1%}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(w) if i < 3 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells))
