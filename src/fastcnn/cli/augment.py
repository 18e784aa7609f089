"""Training-time augmentation, and how batches are made, as options of a command."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import data
from fastcnn._names import did_you_mean
from fastcnn.cli.parser import UsageError, whole

_DEFAULTS: dict[str, float | None] = {
    "crop": None,
    "flip": 0.5,
    "jitter": 0.2,
    "pca": 0.1,
    "cutout": 8.0,
    "mixup": 0.2,
}


def add_batch_options(parser: Any) -> None:
    """--augment and --workers."""
    parser.add_argument(
        "--augment",
        metavar="NAME[=X],...",
        help="training-time augmentation: crop[=PADDING] (a random window of the network's input size where "
        "images are larger, otherwise with 4 pixels of padding), flip[=PROBABILITY] (0.5), "
        "jitter[=AMOUNT] (brightness, contrast and saturation, 0.2), pca[=STD] (AlexNet's colour noise, "
        "0.1), cutout[=SIZE] (8), mixup[=ALPHA] (0.2; the training accuracy then means nothing)",
    )
    parser.add_argument(
        "--workers",
        type=whole(0, 1024),
        metavar="N",
        help="threads that prepare batches ahead (default: 1; for images that stay in their files, as many "
        "as compute)",
    )


def crops(names: str | None, dataset: data.Dataset, input_shape: tuple[int, int, int]) -> bool:
    """Whether images are cropped to the network's size rather than resized."""
    height, width = dataset.train.images.shape[-2:]
    larger = height >= input_shape[1] and width >= input_shape[2]
    return larger and any(name.split("=")[0] == "crop" for name in _split(names))


def make_augmentation(
    names: str | None, dataset: data.Dataset, prepare: data.Preprocessing | data.MeanImage
) -> list[data.Augmentation]:
    """What --augment asks for, in its order.

    Raises:
        UsageError: an unknown name, a number that is none, or colours of grey images.
    """
    return [_make(name, dataset, prepare) for name in _split(names)]


def _split(names: str | None) -> list[str]:
    return names.split(",") if names else []


def _make(
    text: str, dataset: data.Dataset, prepare: data.Preprocessing | data.MeanImage
) -> data.Augmentation:
    name, _, number = text.partition("=")
    if name not in _DEFAULTS:
        hint = did_you_mean(name, _DEFAULTS) or f"; known: {', '.join(_DEFAULTS)}"
        raise UsageError(f"--augment {name}: no such augmentation{hint}")
    try:
        value = float(number) if number else _DEFAULTS[name]
    except ValueError as error:
        raise UsageError(f"--augment {text}: expected a number, not {number!r}") from error
    if value is not None and not 0 <= value <= 1e6:
        raise UsageError(f"--augment {text}: expected a number of at least 0")
    images = dataset.train.images
    if name == "crop":
        return _crop(images.shape[-2:], prepare.input_shape[1:], value)
    if name == "flip":
        return data.RandomHorizontalFlip(value or 0.0)
    if name == "cutout":
        return data.Cutout(int(value or 0), _mean_levels(prepare))
    if name == "mixup":
        return data.Mixup(dataset.num_classes, value or 1e-6)
    if images.ndim != 4 or images.shape[1] != 3:
        raise UsageError(f"--augment {name}: the images of {dataset.name} are not in colour")
    if name == "jitter":
        amount = value or 0.0
        return data.ColorJitter(amount, amount, amount)
    return data.PCANoise.fit(images, value or 0.0)


def _crop(size: tuple[int, ...], target: tuple[int, ...], padding: float | None) -> data.RandomCrop:
    height, width = size[0], size[1]
    if height < target[0] or width < target[1] or size == target:
        return data.RandomCrop((height, width), 4 if padding is None else int(padding))
    return data.RandomCrop((target[0], target[1]), int(padding or 0))


def _mean_levels(prepare: data.Preprocessing | data.MeanImage) -> float | list[float]:
    """The data's mean per channel, from 0 to 255: what an input of 0 is."""
    if isinstance(prepare, data.MeanImage):
        return [float(level) for level in prepare.mean.mean((1, 2))]
    levels: float | list[float] = (255 * np.asarray(prepare.mean)).tolist()
    return levels
