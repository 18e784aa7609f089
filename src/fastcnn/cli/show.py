"""`fastcnn show WHAT RUN`: a picture of a training or of a trained network."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastcnn import figures, metrics, nn
from fastcnn.cli.common import add_batch_size, add_json, add_threads, check_target, print_json, set_threads
from fastcnn.cli.features import check_layer
from fastcnn.cli.parser import CommandError, UsageError, whole
from fastcnn.cli.run_folder import read_log
from fastcnn.cli.trained import Trained, add_run, open_run
from fastcnn.engine.layout import is_images

HELP = "show curves, filters, feature maps, predictions, confusion or errors of a run"

_WITHOUT_WINDOWS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
_LAYERS_OF_MAPS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows one figure in a window, or writes it to --save. curves: loss, accuracy and learning rate by "
        "epoch. filters: of the first convolution, or of --layer. maps: feature maps of a test image. "
        "predictions: test images and their likeliest classes. confusion: which class was taken for which. "
        "errors: the worst mistakes."
    )
    parser.add_argument("what", metavar="WHAT", choices=_FIGURES, help=", ".join(_FIGURES))
    add_run(parser)
    parser.add_argument(
        "--save", metavar="FILE", type=Path, help="write the figure: .png, .svg, .pdf (default: a window)"
    )
    parser.add_argument("--layer", metavar="NAME", help="of filters or maps: the layer's path in the model")
    parser.add_argument(
        "--image",
        type=whole(0),
        metavar="N",
        help="of maps and predictions: number of the (first) test image (default: 0)",
    )
    parser.add_argument(
        "--count",
        type=whole(1, 100),
        metavar="N",
        help="of predictions, errors: images (default: 12 and 24)",
    )
    add_batch_size(parser, 100)
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    for option, kinds in (
        ("layer", ("filters", "maps")),
        ("image", ("maps", "predictions")),
        ("count", ("predictions", "errors")),
    ):
        if getattr(arguments, option) is not None and arguments.what not in kinds:
            raise UsageError(f"--{option} goes with {' and '.join(kinds)}, not with {arguments.what}")
    if arguments.json and arguments.save is None:
        raise UsageError("--json needs --save FILE")
    try:
        figure = _canvas(arguments.save)
        _FIGURES[arguments.what](arguments, figure)
    except ImportError as error:
        raise CommandError("figures are drawn with matplotlib: pip install 'fastcnn[plots]'") from error
    if arguments.save is None:
        from matplotlib import pyplot

        pyplot.show()
        return
    figure.savefig(arguments.save, dpi=150)
    if arguments.json:
        print_json({"figure": arguments.what, "out": str(arguments.save)})
    else:
        print(f"written to {arguments.save}")


def _canvas(save: Path | None) -> Any:
    """What the figure is drawn into: a window's, or a file's."""
    if save is None:
        from matplotlib import pyplot

        if pyplot.get_backend().lower() in _WITHOUT_WINDOWS:
            raise CommandError("there is no display for a window; give --save FILE.png")
        return pyplot.figure()
    from matplotlib.figure import Figure

    figure = Figure()
    known = figure.canvas.get_supported_filetypes()
    if save.suffix[1:] not in known:
        raise UsageError(f"--save {save}: expected a name that ends in one of .{', .'.join(known)}")
    check_target(save)
    return figure


def _curves(arguments: argparse.Namespace, figure: Any) -> None:
    figures.curves(read_log(arguments.run), figure=figure)


def _filters(arguments: argparse.Namespace, figure: Any) -> None:
    draw_filters(open_run(arguments), arguments.layer, figure)


def _maps(arguments: argparse.Namespace, figure: Any) -> None:
    draw_maps(open_run(arguments), arguments.image or 0, arguments.layer, figure)


def _predictions(arguments: argparse.Namespace, figure: Any) -> None:
    trained = open_run(arguments)
    start, count = arguments.image or 0, arguments.count or 12
    _check_image(trained, start)
    few = trained.test.take(slice(start, start + count))
    answers = trained.answers(arguments.batch_size, split=few)
    names = trained.run.class_names
    figures.predictions(few.images, answers.probabilities, answers.labels, names, figure=figure)


def _confusion(arguments: argparse.Namespace, figure: Any) -> None:
    trained = open_run(arguments)
    answers = trained.answers(arguments.batch_size)
    matrix = metrics.confusion_matrix(answers.probabilities, answers.labels)
    figures.confusion(matrix, trained.run.class_names, figure=figure)


def _errors(arguments: argparse.Namespace, figure: Any) -> None:
    trained = open_run(arguments)
    answers = trained.answers(arguments.batch_size)
    figures.errors(
        trained.test.images,
        answers.probabilities,
        answers.labels,
        trained.run.class_names,
        count=arguments.count or 24,
        figure=figure,
    )


def draw_filters(trained: Trained, layer: str | None = None, figure: Any = None) -> Any:
    """The filters of a convolution, the first one when left out.

    Raises:
        UsageError: no such layer, or one without filters.
        CommandError: the network has no convolution.
    """
    weights = {
        name.removesuffix(".weight"): weight
        for name, weight in trained.model.named_parameters()
        if name.endswith(".weight") and len(weight.shape) == 4
    }
    if layer is not None:
        check_layer(trained.model, layer)
        if layer not in weights:
            raise UsageError(f"{layer} has no filters; those with filters are {', '.join(weights)}")
    elif not weights:
        raise CommandError(f"{trained.run.model} has no convolution, whose filters could be shown")
    chosen = layer or next(iter(weights))
    return figures.filters(weights[chosen].numpy(), chosen, figure=figure)


def draw_maps(trained: Trained, number: int, layer: str | None = None, figure: Any = None) -> Any:
    """What layers make of a test image; of those with maps up to six, evenly, when no layer is named.

    Raises:
        UsageError: no such layer, or one without maps.
        CommandError: no such image, or the network has no maps.
    """
    _check_image(trained, number)
    image = trained.test.images[number]
    x = trained.run.preprocessing(image[None])
    shapes = {item.name: item.output_shape for item in trained.model.summary(x.shape).layers}
    paths = dict(trained.model.named_modules())
    with_maps = [
        name for name, shape in shapes.items() if name in paths and is_images(shape) and shape[2:] != (1, 1)
    ]
    if layer is not None:
        check_layer(trained.model, layer)
        chosen = [layer]
    elif not with_maps:
        raise CommandError(f"{trained.run.model} has no feature maps")
    else:
        last = len(with_maps) - 1
        few = min(len(with_maps), _LAYERS_OF_MAPS)
        chosen = [with_maps[round(i * last / max(few - 1, 1))] for i in range(few)]
    try:
        values = {name: nn.features(trained.model, x, name)[0] for name in chosen}
        return figures.maps(image, values, figure=figure)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_image(trained: Trained, number: int) -> None:
    if number >= len(trained.test):
        raise CommandError(f"no test image {number}: there are {len(trained.test):,}, numbered from 0")


_FIGURES: dict[str, Callable[[argparse.Namespace, Any], None]] = {
    "curves": _curves,
    "filters": _filters,
    "maps": _maps,
    "predictions": _predictions,
    "confusion": _confusion,
    "errors": _errors,
}
