"""`fastcnn predict RUN FILE...`: what a trained network sees in image files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.cli.common import add_json, add_threads, print_json, set_threads
from fastcnn.cli.images import read_images
from fastcnn.cli.run_folder import load_trained, read_run
from fastcnn.train import Trainer

HELP = "classify image files with a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Classifies image files: made grey, brought to the size of the training images, then prepared as in "
        "training. The digits, MNIST and Fashion-MNIST are light on black: give --invert for dark on light."
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `fastcnn train --out` wrote")
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="image, of any format Pillow reads"
    )
    parser.add_argument("--invert", action="store_true", help="the files are dark on light")
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
    description = read_run(arguments.run)
    prepare = description.preprocessing
    images = read_images(arguments.files, prepare.image_size, arguments.invert)
    trainer = Trainer(load_trained(arguments.run, description)[0])
    predictions = []
    for file, image in zip(arguments.files, images, strict=True):
        probabilities = _softmax(trainer.predict(prepare(image[None]))[0])
        best = int(probabilities.argmax())
        predictions.append(
            {
                "file": str(file),
                "class": description.class_names[best],
                "index": best,
                "probability": float(probabilities[best]),
            }
        )
    if arguments.json:
        print_json({"model": description.model, "predictions": predictions})
        return
    for prediction in predictions:
        print(f"{prediction['file']}: {prediction['class']} ({prediction['probability']:.1%})")


def _softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers: np.ndarray[Any, Any] = np.exp(logits.astype(np.float64) - logits.max())
    powers /= powers.sum()
    return powers
