"""Single convolutions of the networks in fastcnn and PyTorch.

    python benchmarks/python/versus_layers.py [--networks alexnet resnet50] [--passes forward backward_data]
        [--batch-size N] [--threads N] [--minutes 10] [--json FILE] [--markdown]

Layers are those of benchmarks/shapes. The ratio is PyTorch's time, in the better of NCHW and channels_last,
over fastcnn's, of one run in which their samples take turns; the geometric mean and the worst of the ratios
come last. fastcnn's time is that of its steps in a training plan, PyTorch's that of the calls behind its
autograd.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

from versus import convolutions, report
from versus.convolutions import PASSES, Pass
from versus.environment import environment, warn_if_busy
from versus.measuring import Budget, Contestant, DisagreementError, compare, interleave
from versus.peers import PEERS
from versus.results import OURS, Comparison, figures_of, summarize
from versus.worker import Worker, WorkerError


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Single convolutions in fastcnn and PyTorch, as ratios.")
    names = convolutions.networks()
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=PASSES)
    parser.add_argument("--batch-size", type=int, metavar="N", help="default: as in the files of shapes")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="default: 2")
    parser.add_argument("--minutes", type=float, default=10, help="about how long (default: 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    return parser.parse_args()


def jobs(arguments: argparse.Namespace) -> list[Pass]:
    layers = [layer for network in arguments.networks for layer in convolutions.read(network)]
    if arguments.batch_size:
        layers = [layer.with_batch(arguments.batch_size) for layer in layers]
    return [Pass(layer, name) for layer in layers for name in layer.passes if name in arguments.passes]


def measure(job: Pass, workers: list[Worker], threads: int, seconds: float) -> Comparison:
    contestants = []
    try:
        for worker in workers:
            for variant in PEERS[worker.peer].variants(training=True, compiled=False):
                worker.prepare(variant, "prepare_convolution", job, variant)
                contestants.append(Contestant(worker, variant, variant))
        apart = compare(contestants)
        interleave(contestants, seconds)
    finally:
        for contestant in contestants:
            contestant.worker.release(contestant.key)
    layer = job.convolution
    return Comparison(layer.name, job.name, layer.x[0], threads, tuple(map(figures_of, contestants)), apart)


def main() -> int:
    arguments = parse()
    warn_if_busy()
    work = jobs(arguments)
    budget = Budget(0.6 * 60 * arguments.minutes, len(work))
    comparisons, problems = [], []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(peer, arguments.threads)) for peer in (OURS, "PyTorch")]
        versions = {worker.peer: worker.call("versions") for worker in workers}
        for job in work:
            what = f"{job.convolution.name} {job.name}"
            try:
                with budget.turn() as seconds:
                    comparisons.append(measure(job, workers, arguments.threads, seconds))
                print(f"{what}: {comparisons[-1].ratio:.2f}", file=sys.stderr, flush=True)
            except (DisagreementError, WorkerError) as error:
                problems.append(f"{what}: {error}")
                print(problems[-1], file=sys.stderr, flush=True)
    form = report.markdown if arguments.markdown else report.plain
    summaries = summarize(comparisons)
    print(report.comparison_table(comparisons, form), report.summary_table(summaries, form), sep="\n\n")
    if arguments.json:
        everything = {
            "environment": environment() | {"engines": versions},
            "comparisons": [comparison.to_dict() for comparison in comparisons],
            "summary": [summary.to_dict() for summary in summaries],
            "problems": problems,
        }
        arguments.json.write_text(json.dumps(everything, indent=1))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
