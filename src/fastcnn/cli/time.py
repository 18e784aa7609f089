"""`fastcnn time MODEL`: how long a model takes, layer by layer."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import fastcnn
from fastcnn import ceilings, data, models, optim
from fastcnn.cli.augment import add_batch_options, crops, make_augmentation
from fastcnn.cli.common import add_batch_size, add_json, add_threads, find_model, print_json, set_threads
from fastcnn.cli.parser import CommandError, UsageError
from fastcnn.train import Trainer

_SECONDS = 3.0
_MIN_STEPS = 10
_WARM_UP = 3

HELP = "time a model, in total and step by step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Times inference, or with --train whole training steps (forward, loss, backward, update), on random "
        "input. Shows medians over two seconds of runs, five at least. The floor of a step is the "
        "larger of its operations over the peak and its bytes over the bandwidth of memory, as "
        "`fastcnn info --measure` measures them (done here the first time). Algorithms that save "
        "operations and what stays in the caches can be faster than that. With --data, times training "
        "steps on real batches for three seconds, and how long each waits for its batch."
    )
    parser.add_argument("model", metavar="MODEL", help="a model's name, such as alexnet")
    add_batch_size(parser, 1)
    parser.add_argument("--train", action="store_true", help="training steps instead of inference")
    parser.add_argument(
        "--data", metavar="NAME|FOLDER|FILE", help="train on this dataset instead; as for `train`"
    )
    add_batch_options(parser)
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    entry = find_model(arguments.model)
    if arguments.data is not None:
        _time_on_data(arguments, entry)
        return
    for option in ("augment", "workers"):
        if getattr(arguments, option) is not None:
            raise UsageError(f"--{option} needs --data")
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
    arena = f"{memory.arena / 1e6:,.1f} MB of it for activations and workspace"
    print(f"memory {memory.total / 1e6:,.1f} MB, {arena}")


def _time_on_data(arguments: argparse.Namespace, entry: models.Entry) -> None:
    dataset = data.load(arguments.data)
    images = dataset.train.images
    crop = crops(arguments.augment, dataset, entry.input_shape)
    prepare = data.Preprocessing.fit(images, entry.input_shape, crop=crop)
    augment = make_augmentation(arguments.augment, dataset, prepare)
    loaders = [
        dataset.batches(prepare, arguments.batch_size, augment=augment, workers=workers)[0]
        for workers in (arguments.workers, 0)
    ]
    if len(images) < arguments.batch_size:
        raise CommandError(f"{dataset.name} has {len(images):,} training images, fewer than a batch")
    fastcnn.manual_seed(0)
    model = entry.build(dataset.num_classes)
    trainer = Trainer(model, None, optim.SGD(model.parameters(), lr=1e-4, momentum=0.9))
    waits, steps = _time_steps(trainer, _full_batches(loaders[0]))
    alone = _full_batches(loaders[1])
    makes = [_seconds(lambda: next(alone))[0] for _ in range(10)]
    result = {
        "model": arguments.model,
        "data": dataset.name,
        "batch_size": arguments.batch_size,
        "workers": loaders[0].workers,
        "steps": len(steps),
        "step_ms": 1e3 * statistics.median(steps),
        "wait_ms": 1e3 * statistics.median(waits),
        "wait_share": sum(waits) / (sum(waits) + sum(steps)),
        "make_ms": 1e3 * statistics.median(makes),
        "images_per_second": arguments.batch_size * len(steps) / (sum(waits) + sum(steps)),
    }
    if arguments.json:
        print_json(result)
        return
    print(
        "training steps of {batch_size} images of {data}: median {step_ms:.3f} ms, and {wait_ms:.3f} ms "
        "waiting for the batch, {wait_share:.2%} of the time; {images_per_second:,.0f} images/s\n"
        "a batch takes {make_ms:.3f} ms to make; {workers} threads make them ahead".format(**result)
    )


def _time_steps(trainer: Trainer, batches: Iterator[tuple[Any, Any]]) -> tuple[list[float], list[float]]:
    """Seconds that each step waited for its batch, and that it took."""
    for _ in range(_WARM_UP):
        trainer.step(*next(batches))
    waits: list[float] = []
    steps: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(steps) < _MIN_STEPS or time.perf_counter() < end:
        waited, batch = _seconds(lambda: next(batches))
        waits.append(waited)
        steps.append(_seconds(partial(trainer.step, *batch))[0])
    return waits, steps


def _full_batches(loader: data.Loader) -> Iterator[tuple[Any, Any]]:
    """Epoch after epoch."""
    loader.drop_last = True
    while True:
        yield from loader


def _seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result
