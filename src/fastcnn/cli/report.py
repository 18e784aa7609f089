"""`fastcnn report RUN`: all there is to see of a run on one page."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fastcnn
from fastcnn import data, figures, metrics
from fastcnn.cli import page
from fastcnn.cli.common import add_batch_size, add_json, add_threads, check_target, print_json, set_threads
from fastcnn.cli.parser import CommandError
from fastcnn.cli.run_folder import LOG, read_log
from fastcnn.cli.show import draw_filters, draw_maps
from fastcnn.cli.trained import Answers, Trained, add_run, open_run
from fastcnn.figures import worst_mistakes
from fastcnn.train.checkpoint import write_atomically

if TYPE_CHECKING:
    from fastcnn.inspect.profile import Profile
    from fastcnn.inspect.summary import Summary

HELP = "write a page with curves, filters, mistakes, times and settings of a run"

_MISTAKES = 24
_SECONDS = 0.5  # for timing inference
_UNFOLDED = 100  # rows up to which a table is open
_LAYER_COLUMNS = [
    "layer",
    "description",
    "output",
    "weights, kB",
    "output, kB",
    "multiply-adds",
    "ms",
    "share",
    "algorithm",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes one HTML file that needs nothing beside it, neither a network nor scripts: training curves, "
        "precision and recall of each class, the confusion matrix, the worst mistakes, filters, feature "
        "maps, time and memory of each layer, and the settings."
    )
    add_run(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="file to write (default: RUN/report.html)")
    add_batch_size(parser, 100)
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    out = arguments.out or arguments.run / "report.html"
    trained = open_run(arguments)
    check_target(out)
    answers = trained.answers(arguments.batch_size)
    try:
        text = page.page(
            f"{trained.run.model} on {trained.dataset.name}",
            _summary(trained, answers),
            _curves(trained),
            _classes(trained, answers),
            _mistakes(trained, answers),
            _learned(trained),
            _layers(trained),
            _settings(trained),
        )
    except ImportError as error:
        raise CommandError("the report has figures: pip install 'fastcnn[plots]'") from error
    write_atomically(out, text.encode())
    if arguments.json:
        accuracy = metrics.accuracy(answers.probabilities, answers.labels)
        print_json({"out": str(out), "test_accuracy": accuracy, "test_loss": answers.loss})
    else:
        print(f"written to {out}")


def _summary(trained: Trained, answers: Answers) -> str:
    parameters = sum(parameter.size for parameter in trained.model.parameters())
    return page.key_values(
        [
            ("test accuracy", f"{metrics.accuracy(answers.probabilities, answers.labels):.2%}"),
            ("test loss", f"{answers.loss:.4f}"),
            ("test images", f"{len(answers.labels):,}"),
            *_training_images(trained),
            ("classes", f"{len(trained.run.class_names):,}"),
            ("parameters", f"{parameters:,}"),
        ]
    )


def _training_images(trained: Trained) -> list[tuple[str, str]]:
    """How many there are, and how many of them were held out for validation."""
    share = trained.run.settings.get("validation", 0.0)
    try:
        kept, held_out = data.stratified_split(trained.dataset.train.labels, share)
    except (TypeError, ValueError) as error:
        raise CommandError(f"{trained.folder}: no share of the images: validation is {share!r}") from error
    images = [("training images", f"{len(kept):,}")]
    return [*images, ("validation images", f"{len(held_out):,}")] if len(held_out) else images


def _curves(trained: Trained) -> str:
    if not (trained.folder / LOG).is_file():
        return page.section("Training", page.paragraph("The run has no log of its epochs."))
    log = read_log(trained.folder)
    what = f"Loss, accuracy and learning rate over {len(log)} epochs"
    return page.section("Training", page.plot(figures.curves(log), what))


def _classes(trained: Trained, answers: Answers) -> str:
    names = trained.run.class_names
    matrix = metrics.confusion_matrix(answers.probabilities, answers.labels)
    report = metrics.class_report(matrix, names)
    rows = [
        [row["class"], *(_share(row[key]) for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for row in report.to_dicts()
    ]
    rows.append(["mean", *map(_share, report.means()), f"{len(answers.labels):,}"])
    mistakes = [[names[i], names[j], f"{count:,}"] for i, j, count in metrics.top_confusions(matrix)]
    return page.section(
        "Classes",
        page.folded(
            f"{len(names)} classes",
            page.table(["class", "precision", "recall", "F1", "images"], rows, numbers=(1, 2, 3, 4)),
            unfolded=len(names) <= _UNFOLDED,
        ),
        page.plot(figures.confusion(matrix, names), "Confusion matrix"),
        page.table(["true class", "predicted class", "images"], mistakes, numbers=(2,)) if mistakes else "",
    )


def _mistakes(trained: Trained, answers: Answers) -> str:
    worst = worst_mistakes(answers.probabilities, answers.labels, _MISTAKES)
    if len(worst) == 0:
        return page.section("Worst mistakes", page.paragraph("There are none."))
    names = trained.run.class_names
    pictures = []
    for i in worst:
        said, right = int(answers.probabilities[i].argmax()), int(answers.labels[i])
        share = answers.probabilities[i, said]
        text = f"{names[right]}, taken for {names[said]} ({share:.0%}); test image {i}"
        pictures.append((_pixels(trained.test.images[i]), text))
    return page.section(
        "Worst mistakes",
        page.paragraph("Ordered by the probability of the true class, lowest first."),
        page.picture_grid(pictures),
    )


def _learned(trained: Trained) -> str:
    parts = []
    try:
        parts.append(page.plot(draw_filters(trained), "Filters of the first convolution"))
        parts.append(page.plot(draw_maps(trained, 0), "Feature maps of the first test image"))
    except CommandError as error:  # a network without convolutions has none
        parts.append(page.paragraph(str(error)))
    return page.section("Filters and feature maps", *parts)


def _layers(trained: Trained) -> str:
    x = trained.run.preprocessing(trained.test.images[:1])
    profile = trained.model.profile(x, seconds=_SECONDS)
    rows = _layer_rows(trained.model.summary(x.shape), profile)
    memory = trained.model.memory(x.shape, training=False)
    info = fastcnn.info()
    return page.section(
        "Layers",
        page.paragraph(
            f"One image takes {profile.median_ms:.3f} ms (median of {profile.runs:,} runs, "
            f"{profile.threads} threads, {info['isa']}) and {memory.total / 1e6:,.2f} MB: "
            f"{memory.parameters / 1e6:,.2f} MB of parameters, {memory.prepared / 1e6:,.2f} MB of weights "
            f"prepared for inference, {memory.arena / 1e6:,.2f} MB of activations and workspace."
        ),
        page.folded(
            f"{len(rows)} layers",
            page.table(_LAYER_COLUMNS, rows, numbers=(3, 4, 5, 6, 7)),
            unfolded=len(rows) <= _UNFOLDED,
        ),
    )


def _layer_rows(summary: Summary, profile: Profile) -> list[list[str]]:
    """A row per layer; the time of a step is that of its first layer, into which the others are fused."""
    steps = {step.layers[0]: step for step in profile.steps if step.layers}
    fused = {name: step.layers[0] for step in steps.values() for name in step.layers[1:]}
    rows = []
    for layer in summary.layers:
        time, share, algorithm = "", "", f"in {fused[layer.name]}" if layer.name in fused else ""
        if layer.name in steps:
            step = steps[layer.name]
            time, share = f"{step.ms:.3f}", f"{step.ms / profile.median_ms:.0%}"
            algorithm = step.algorithm
        rows.append(
            [
                layer.name,
                layer.description,
                "×".join(map(str, layer.output_shape[1:])),
                _kilobytes(4 * layer.parameters),
                "" if layer.name in fused else _kilobytes(4 * math.prod(layer.output_shape)),
                f"{layer.macs:,}" if layer.macs else "",
                time,
                share,
                algorithm,
            ]
        )
    return rows


def _settings(trained: Trained) -> str:
    described = trained.run
    rows = [
        ("model", described.model),
        ("data", described.data),
        ("fastcnn", described.version),
        ("image size", "×".join(map(str, described.preprocessing.image_size))),
        ("input", "×".join(map(str, described.preprocessing.input_shape))),
        *((name.replace("_", " "), str(value)) for name, value in described.settings.items()),
    ]
    measured = ((name.replace("_", " "), _plain(value)) for name, value in described.metrics.items())
    return page.section("Settings", page.table(["setting", "value"], rows)) + page.section(
        "At the end of training", page.table(["metric", "value"], measured, numbers=(1,))
    )


def _pixels(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    planes = image[None] if image.ndim == 2 else image
    return np.ascontiguousarray(planes.transpose(1, 2, 0)) if len(planes) == 3 else planes[0]


def _kilobytes(size: int) -> str:
    return f"{size / 1e3:,.2f}" if size else ""


def _share(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.4f}"


def _plain(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.0f}"
