"""`fastcnn predict RUN FILE...`: what a trained network sees in image files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.cli.common import add_json, add_threads, print_json, set_threads
from fastcnn.cli.images import read_images
from fastcnn.cli.parser import whole
from fastcnn.cli.run_folder import load_trained, read_run
from fastcnn.cli.trained import first
from fastcnn.metrics import top_k
from fastcnn.ops import softmax
from fastcnn.train import Trainer

HELP = "classify image files with a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Classifies image files: made grey where the network reads one channel and RGB where it reads three, "
        "resized until they cover the training images' size, cropped to it, and prepared as in training. The "
        "digits, MNIST and Fashion-MNIST are light on black: give --invert for dark on light."
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `fastcnn train --out` wrote")
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="image, of any format Pillow reads"
    )
    parser.add_argument(
        "--top-k", type=whole(1), default=1, metavar="K", help="show the K likeliest classes (default: 1)"
    )
    parser.add_argument("--invert", action="store_true", help="the files are dark on light")
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    description = read_run(arguments.run)
    prepare = description.preprocessing
    images = read_images(arguments.files, prepare.image_size, prepare.input_shape[0], arguments.invert)
    trainer = Trainer(load_trained(arguments.run, description)[0])
    predictions = []
    for file, image in zip(arguments.files, images, strict=True):
        probabilities = softmax(first(trainer.predict(prepare(image[None]))))
        labels = top_k(probabilities, arguments.top_k)[0]
        likeliest = [_answer(int(i), probabilities[0, i], description.class_names) for i in labels]
        more = {"top_k": likeliest} if arguments.top_k > 1 else {}
        predictions.append({"file": str(file), **likeliest[0], **more})
    if arguments.json:
        print_json({"model": description.model, "predictions": predictions})
        return
    for prediction in predictions:
        answers = prediction.get("top_k", [prediction])
        shares = (f"{answer['class']} ({answer['probability']:.1%})" for answer in answers)
        print(f"{prediction['file']}: {', '.join(shares)}")


def _answer(index: int, probability: np.float64, class_names: tuple[str, ...]) -> dict[str, Any]:
    return {"class": class_names[index], "index": index, "probability": float(probability)}
