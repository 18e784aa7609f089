"""`fastcnn eval RUN`: a trained network on test images."""

from __future__ import annotations

import argparse
from typing import Any

from fastcnn import metrics
from fastcnn.cli.common import add_batch_size, add_json, add_threads, print_json, set_threads
from fastcnn.cli.parser import whole
from fastcnn.cli.trained import Answers, Trained, add_run, open_run

HELP = "test a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--top-k",
        type=whole(1),
        metavar="K",
        help="also the top-K accuracy",
    )
    parser.add_argument(
        "--per-class",
        action="store_true",
        help="also precision, recall and F1 of each class, and the classes confused most often",
    )
    parser.add_argument(
        "--views",
        type=int,
        choices=(1, 5, 10),
        default=1,
        help="average the probabilities of crops of corners and centre (5), mirrored as well (10), as "
        "AlexNet was tested: of the whole image where the network reads its centre, otherwise of the image "
        "with a border of its outermost pixels (default: 1, as in training)",
    )
    add_batch_size(parser, 100)
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    trained = open_run(arguments)
    answers = trained.answers(arguments.batch_size, arguments.views)
    result = _result(arguments, trained, answers)
    report = _report(trained, answers) if arguments.per_class else None
    if arguments.json:
        if report is not None:
            matrix, per_class = report
            result |= {"per_class": per_class.to_dicts(), "confusion_matrix": matrix.tolist()}
        print_json(result)
        return
    top = f"top-{arguments.top_k} accuracy {result['top_k_accuracy']:.4f}, " if arguments.top_k else ""
    of_views = f", {arguments.views} views of each" if arguments.views > 1 else ""
    print(
        f"{result['model']} on {result['data']}: test accuracy {result['test_accuracy']:.4f}, {top}"
        f"test loss {result['test_loss']:.4f}, {result['images']:,} images{of_views}"
    )
    if report is not None:
        matrix, per_class = report
        print(f"\n{per_class}\n\n{_confusions(matrix, trained.run.class_names)}")


def _result(arguments: argparse.Namespace, trained: Trained, answers: Answers) -> dict[str, Any]:
    result = {
        "model": trained.run.model,
        "data": trained.dataset.name,
        "test_accuracy": metrics.accuracy(answers.probabilities, answers.labels),
        "test_loss": answers.loss,
        "images": len(answers.labels),
        "views": arguments.views,
    }
    if arguments.top_k:
        top = metrics.accuracy(answers.probabilities, answers.labels, arguments.top_k)
        result |= {"top_k": arguments.top_k, "top_k_accuracy": top}
    return result


def _report(trained: Trained, answers: Answers) -> tuple[Any, metrics.ClassReport]:
    matrix = metrics.confusion_matrix(answers.probabilities, answers.labels)
    return matrix, metrics.class_report(matrix, trained.run.class_names)


def _confusions(matrix: Any, names: tuple[str, ...]) -> str:
    lines = [
        f"{count:>6,} times {names[i]} taken for {names[j]}" for i, j, count in metrics.top_confusions(matrix)
    ]
    return "\n".join(["the commonest mistakes:", *lines] if lines else ["no mistakes"])
