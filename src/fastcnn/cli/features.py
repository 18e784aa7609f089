"""`fastcnn features RUN --layer NAME --out FILE`: what a layer makes of images, for other classifiers."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastcnn import data, nn
from fastcnn._names import did_you_mean
from fastcnn.cli.common import add_batch_size, add_json, add_threads, check_target, print_json, set_threads
from fastcnn.cli.parser import CommandError, UsageError
from fastcnn.cli.trained import Trained, add_run, open_run

HELP = "write the activations of a layer of a trained network, and the labels, to a file"

Arrays = dict[str, np.ndarray[Any, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs a trained network on images up to one layer and writes its activations: x_train and x_test, "
        "float32, one row (or stack of maps) per image in the data's order, and the labels y_train and "
        "y_test."
    )
    add_run(parser)
    parser.add_argument(
        "--layer",
        metavar="NAME",
        required=True,
        help="path of a layer, such as fc1 or layer1.0.relu",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="file to write: .npz or .safetensors"
    )
    add_batch_size(parser, 100)
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    write = _writer(arguments.out)
    check_target(arguments.out)
    trained = open_run(arguments)
    check_layer(trained.model, arguments.layer)
    arrays: Arrays = {}
    for name, split in (("train", trained.dataset.train), ("test", trained.dataset.test)):
        arrays[f"x_{name}"] = _features(trained, split, arguments.layer, arguments.batch_size)
        arrays[f"y_{name}"] = split.labels.astype(np.int64)
    described = {
        "model": trained.run.model,
        "data": trained.dataset.name,
        "layer": arguments.layer,
        "class_names": list(trained.run.class_names),
    }
    _write_atomically(arguments.out, lambda file: write(file, arrays, described))
    if arguments.json:
        shapes = {name: list(array.shape) for name, array in arrays.items()}
        print_json({**described, "shapes": shapes, "out": str(arguments.out)})
        return
    for name, array in arrays.items():
        print(f"{name:<8} {'×'.join(map(str, array.shape))} {array.dtype}")
    print(f"written to {arguments.out}")


def check_layer(model: nn.Module, layer: str) -> None:
    """UsageError that lists the layers where the model has none of that name."""
    names = [name for name, _ in model.named_modules() if name]
    if layer not in names:
        raise UsageError(f"no layer {layer!r}{did_you_mean(layer, names)}; the layers are {', '.join(names)}")


def _features(trained: Trained, split: data.Split, layer: str, batch_size: int) -> np.ndarray[Any, Any]:
    result = np.empty((0,), np.float32)
    start = 0
    for x, _ in trained.batches(split, batch_size):
        values = _of_batch(trained.model, x, layer)
        if start == 0:
            result = np.empty((len(split), *values.shape[1:]), values.dtype)
        result[start : start + len(values)] = values
        start += len(values)
    return result


def _of_batch(model: nn.Module, x: np.ndarray[Any, Any], layer: str) -> np.ndarray[Any, Any]:
    try:
        values = nn.features(model, x, layer)
    except ValueError as error:  # a layer that the model has but doesn't call
        raise CommandError(str(error)) from error
    if not isinstance(values, np.ndarray):
        raise CommandError(f"{layer} returns {len(values)} values, expected one")
    return values


def _writer(path: Path) -> Callable[[IO[bytes], Arrays, dict[str, Any]], None]:
    writers = {".npz": _write_npz, ".safetensors": _write_safetensors}
    if path.suffix not in writers:
        raise UsageError(f"--out {path}: expected a name that ends in {' or '.join(writers)}")
    return writers[path.suffix]


def _write_npz(file: IO[bytes], arrays: Arrays, described: dict[str, Any]) -> None:
    members: dict[str, Any] = {**arrays, **{name: np.array(value) for name, value in described.items()}}
    np.savez(file, **members)


def _write_safetensors(file: IO[bytes], arrays: Arrays, described: dict[str, Any]) -> None:
    from safetensors.numpy import save  # there, since the run was read with it

    file.write(save(arrays, metadata={"fastcnn": json.dumps(described)}))


def _write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            write(file)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
