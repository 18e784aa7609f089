"""A run's network and the images that it is tried on, for `eval`, `features`, `show` and `report`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastcnn import data
from fastcnn.cli.parser import CommandError
from fastcnn.cli.run_folder import Run, load_trained, read_run
from fastcnn.nn import Module
from fastcnn.ops import softmax
from fastcnn.train import Trainer
from fastcnn.views import predict_views

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Answers:
    """What a network made of images.

    Attributes:
        probabilities: (n, classes).
        labels: (n).
        loss: of the network's own criterion; of averaged views, the mean of -log p.
    """

    probabilities: Array
    labels: Array
    loss: float


@dataclass(frozen=True)
class Trained:
    """A run's network and data."""

    folder: Path
    run: Run
    dataset: data.Dataset
    trainer: Trainer

    @property
    def model(self) -> Module:
        return self.trainer.model

    @property
    def test(self) -> data.Split:
        return self.dataset.test

    def batches(self, split: data.Split, batch_size: int) -> data.Loader:
        """A split in its order, prepared as in training."""
        return data.Loader(split.images, split.labels, batch_size, transform=self.run.preprocessing)

    def answers(self, batch_size: int, views: int = 1, split: data.Split | None = None) -> Answers:
        """The probabilities of a split's images, of the test images when left out.

        Args:
            views: 1; 5 or 10 for averages as `fastcnn.views` has them.

        Raises:
            CommandError: there are no images, or the loss is not a number.
        """
        images = self.test if split is None else split
        if len(images) == 0:
            raise CommandError("no test images to evaluate on")
        each = list(
            self._each(images, batch_size)
            if views == 1
            else self._each_of_views(images, batch_size, mirror=views == 10)
        )
        labels = np.concatenate([labels for _, labels, _ in each])
        loss = sum(loss * len(labels) for _, labels, loss in each) / len(labels)
        if not math.isfinite(loss):
            raise CommandError(f"the test loss is {loss}: training diverged; lower --lr")
        return Answers(np.concatenate([probabilities for probabilities, _, _ in each]), labels, loss)

    def _each(self, split: data.Split, batch_size: int) -> Iterator[tuple[Array, Array, float]]:
        for x, y in self.batches(split, batch_size):
            output = self.trainer.predict(x)
            loss = self.trainer.criterion(output, y)
            yield softmax(first(output)), y, float(loss.numpy().sum())

    def _each_of_views(
        self, split: data.Split, batch_size: int, mirror: bool
    ) -> Iterator[tuple[Array, Array, float]]:
        *_, height, width = self.run.preprocessing.input_shape
        prepare = _wider(self.run.preprocessing)
        for x, y in data.Loader(split.images, split.labels, batch_size, transform=prepare):
            mean = predict_views(
                lambda view: first(self.trainer.predict(view)), x, (height, width), mirror=mirror
            )
            own = np.take_along_axis(mean, y[:, None], axis=1)
            yield mean, y, float(-np.log(own).mean())


def add_run(parser: argparse.ArgumentParser) -> None:
    """RUN and --data, which `open_run` reads."""
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `fastcnn train --out` wrote")
    parser.add_argument(
        "--data", metavar="NAME|FOLDER|FILE", help="dataset (default: the one it was trained on)"
    )


def open_run(arguments: argparse.Namespace) -> Trained:
    """The network of arguments.run, and the data of arguments.data or that it was trained on.

    Raises:
        CommandError: the run can't be read, or other images than it was trained on.
    """
    run = read_run(arguments.run)
    dataset = data.load(arguments.data or run.data)
    _check_fit(dataset, run)
    return Trained(arguments.run, run, dataset, Trainer(*load_trained(arguments.run, run)))


def first(output: Any) -> Array:
    """Of a model of several outputs the first."""
    result: Array = output[0] if isinstance(output, tuple) else output
    return result


def _wider(prepare: data.Preprocessing | data.MeanImage) -> Callable[[Array], Array]:
    """Larger inputs, of which views are windows: the whole images where the network reads their centre;
    otherwise its inputs with a border, in which the outermost pixels are repeated, so that the windows are
    as large in the image as what the network was trained on. 8/7 of the size is AlexNet's 256 for 224."""
    channels, height, width = prepare.input_shape
    if isinstance(prepare, data.Preprocessing) and prepare.crop:
        return replace(prepare, input_shape=(channels, *prepare.image_size))
    rows, columns = round(height / 7), round(width / 7)
    border = ((0, 0), (0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    return lambda images: np.pad(prepare(images), border, mode="edge")


def _check_fit(dataset: data.Dataset, run: Run) -> None:
    size, expected = dataset.test.images.shape[-2:], run.preprocessing.image_size
    if size != expected:
        raise CommandError(f"{dataset.name}: images of {size}, expected {expected} as in training")
    classes = len(run.class_names)
    if dataset.num_classes > classes:
        raise CommandError(
            f"{dataset.name}: {dataset.num_classes} classes, expected {classes} as in training"
        )
