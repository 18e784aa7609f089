"""Does a recipe reach the same accuracy in fastcnn and in PyTorch?

    python benchmarks/python/versus_accuracy.py [MODEL] [--data NAME|FOLDER] [--epochs N] [--seeds 0 1 2]
        [--batch-size N] [--lr X] [--weight-decay X] [--augment crop=2] [--threads N] [--json FILE]

Trains a network of fastcnn.models and its twin in PyTorch, by SGD with momentum 0.9 at a rate that falls as
half a cosine, and prints the test accuracy of each for each seed. Within a seed both begin with the same
weights and see the same batches, changed at random by the same augmentation, so that rounding alone tells
them apart; other seeds say how much chance makes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import fastcnn
import torch_models
from fastcnn import Trainer, data, models, nn, optim
from fastcnn.cli.augment import add_batch_options, crops, make_augmentation

MOMENTUM = 0.9


class Result(NamedTuple):
    """Of one training: share of test images that it gets right, and seconds without testing."""

    accuracy: float
    seconds: float


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The accuracy that fastcnn and PyTorch reach by one recipe.")
    parser.add_argument(
        "model", nargs="?", default="lenet", choices=tuple(torch_models.MODELS), metavar="MODEL"
    )
    parser.add_argument("--data", default="digits", metavar="NAME|FOLDER", help="default: digits")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument("--lr", type=float, default=0.02, metavar="X", help="default: 0.02")
    parser.add_argument("--weight-decay", type=float, default=5e-4, metavar="X", help="default: 0.0005")
    parser.add_argument(
        "--threads", type=int, default=fastcnn.num_threads(), metavar="N", help="default: all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    add_batch_options(parser)
    return parser.parse_args()


class Recipe:
    """What both do; `batches` gives the same ones for the same seed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.entry = models.find(arguments.model)
        self.dataset = data.load(arguments.data)
        shape = self.entry.input_shape
        cropped = crops(arguments.augment, self.dataset, shape)
        self.prepare = data.Preprocessing.fit(self.dataset.train.images, shape, crop=cropped)
        self.options = arguments

    def batches(self, seed: int) -> tuple[data.Loader, data.Loader]:
        augment = make_augmentation(self.options.augment, self.dataset, self.prepare)
        return self.dataset.batches(
            self.prepare, self.options.batch_size, seed=seed, augment=augment, workers=self.options.workers
        )

    def model(self, seed: int) -> nn.Module:
        fastcnn.manual_seed(seed)
        return self.entry.build(self.dataset.num_classes)


def train_fastcnn(recipe: Recipe, seed: int) -> Result:
    train, test = recipe.batches(seed)
    model = recipe.model(seed)
    options = recipe.options
    sgd = optim.SGD(model.parameters(), options.lr, momentum=MOMENTUM, weight_decay=options.weight_decay)
    schedule = optim.CosineAnnealingLR(sgd, options.epochs * len(train))
    trainer = Trainer(model, nn.CrossEntropyLoss(), sgd, schedule)
    start = time.perf_counter()
    trainer.fit(train, options.epochs)
    seconds = time.perf_counter() - start
    return Result(trainer.evaluate(test).accuracy, seconds)


def train_torch(recipe: Recipe, seed: int) -> Result:
    train, test = recipe.batches(seed)
    options = recipe.options
    torch.manual_seed(seed)  # of dropout
    model = torch_models.MODELS[options.model](recipe.dataset.num_classes)
    weights = {name: torch.from_numpy(value) for name, value in recipe.model(seed).state_dict().items()}
    missing = model.load_state_dict(weights, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    model = model.to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(
        model.parameters(), options.lr, momentum=MOMENTUM, weight_decay=options.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, options.epochs * len(train))
    start = time.perf_counter()
    for _ in range(options.epochs):
        for x, y in train:
            sgd.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
            sgd.step()
            schedule.step()
    seconds = time.perf_counter() - start
    model.eval()
    with torch.inference_mode():
        right = sum(int(np.sum(model(torch.from_numpy(x)).numpy().argmax(1) == y)) for x, y in test)
    return Result(right / len(recipe.dataset.test), seconds)


ENGINES: dict[str, Callable[[Recipe, int], Result]] = {"fastcnn": train_fastcnn, "PyTorch": train_torch}


def main() -> None:
    arguments = parse()
    fastcnn.set_num_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    recipe = Recipe(arguments)
    print("seed " + "".join(f"{name:>10} {'seconds':>8}" for name in ENGINES), flush=True)
    results: dict[str, list[Result]] = {name: [] for name in ENGINES}
    for seed in arguments.seeds:
        for name, train in ENGINES.items():
            results[name].append(train(recipe, seed))
        row = "".join(
            f"{100 * found[-1].accuracy:9.2f}% {found[-1].seconds:8.1f}" for found in results.values()
        )
        print(f"{seed:4d} {row}", flush=True)
    accuracies = {name: [result.accuracy for result in found] for name, found in results.items()}
    row = "".join(f"{100 * statistics.fmean(found):9.2f}% {'':8}" for found in accuracies.values())
    print(f"mean {row}")
    if len(arguments.seeds) > 1:
        row = "".join(f"{100 * statistics.stdev(found):9.2f}% {'':8}" for found in accuracies.values())
        print(f"std  {row}")
    if arguments.json:
        figures: dict[str, Any] = {
            name: [result._asdict() for result in found] for name, found in results.items()
        }
        arguments.json.write_text(json.dumps({"seeds": arguments.seeds} | figures, indent=1))


if __name__ == "__main__":
    main()
