"""fastcnn and PyTorch side by side: same weights, same inputs, results compared, then timed in turn.

    python benchmarks/python/vs_torch.py [--models lenet alexnet] [--modes training inference latency]
        [--batch-size N] [--threads N] [--repeats N] [--json]

Both engines run in this process on the same number of threads. Their samples alternate, so what disturbs
the machine disturbs both. PyTorch runs eagerly in whichever is fastest of NCHW and channels_last and, for
training, of its fused and foreach SGD; its inference is under inference_mode. Ratio: PyTorch's time over
fastcnn's, so above 1 fastcnn is faster.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from engine_steps import Case, Step, difference, fastcnn_step, initial_weights, torch_steps

import fastcnn

BATCH_SIZE = {"lenet": 64, "alexnet": 16}
TOLERANCE = 1e-3
SAMPLE_SECONDS = 0.1  # a sample is as many steps as fill this, at least one
MODES = ("training", "inference", "latency")


@dataclass(frozen=True)
class Result:
    """Milliseconds per step, images per second at the median, and PyTorch's time over fastcnn's."""

    model: str
    mode: str
    batch_size: int
    fastcnn_median_ms: float
    fastcnn_best_ms: float
    torch_median_ms: float
    torch_best_ms: float
    fastcnn_images_per_second: float
    torch_images_per_second: float
    ratio: float
    best_ratio: float
    torch_variant: str
    difference: float


def seconds(step: Step, repeats: int) -> float:
    """Per step, over `repeats` steps after an untimed one that wakes the engine's threads."""
    step()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def steps_per_sample(step: Step) -> int:
    step()
    return max(1, round(SAMPLE_SECONDS / seconds(step, 1)))


def fastest(variants: Iterator[tuple[str, Step]]) -> tuple[str, Step]:
    """The variant with the best of three samples."""
    best: tuple[float, str, Step] | None = None
    for name, step in variants:
        count = steps_per_sample(step)
        duration = min(seconds(step, count) for _ in range(3))
        if best is None or duration < best[0]:
            best = (duration, name, step)
        del step
        gc.collect()
    assert best is not None
    return best[1], best[2]


def measure(case: Case, repeats: int) -> Result:
    weights = initial_weights(case.model)
    worst = difference(case, weights)
    if not worst <= TOLERANCE:
        sys.exit(f"{case.model} {case.mode}: results differ by {worst:.1e}, expected at most {TOLERANCE:.0e}")
    variant, theirs = fastest(torch_steps(case, weights))
    ours = fastcnn_step(case, weights)
    counts = steps_per_sample(ours), steps_per_sample(theirs)
    samples: tuple[list[float], list[float]] = [], []
    for _ in range(repeats):
        samples[0].append(1e3 * seconds(ours, counts[0]))
        samples[1].append(1e3 * seconds(theirs, counts[1]))
    medians = [statistics.median(side) for side in samples]
    bests = [min(side) for side in samples]
    return Result(
        **asdict(case),
        fastcnn_median_ms=medians[0],
        fastcnn_best_ms=bests[0],
        torch_median_ms=medians[1],
        torch_best_ms=bests[1],
        fastcnn_images_per_second=1e3 * case.batch_size / medians[0],
        torch_images_per_second=1e3 * case.batch_size / medians[1],
        ratio=medians[1] / medians[0],
        best_ratio=bests[1] / bests[0],
        torch_variant=variant,
        difference=worst,
    )


def environment(threads: int) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        **fastcnn.info(),
        "torch": torch.__version__,
        "threads": threads,
        "machine": platform.machine(),
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
    }


def warn_if_busy() -> None:
    """On a busy machine PyTorch's OpenMP threads, which spin while they wait, are slow beyond measure."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(
            f"warning: others are using this machine (load {load:.1f}): no fair figures now", file=sys.stderr
        )


HEADER = (
    f"{'model':8} {'mode':10} {'batch':>5}  {'fastcnn ms':>19}  {'PyTorch ms':>19}  "
    f"{'fastcnn/s':>9} {'PyTorch/s':>9}  {'ratio':>5} {'(best)':>6}  PyTorch variant"
)


def row(result: Result) -> str:
    r = result
    return (
        f"{r.model:8} {r.mode:10} {r.batch_size:5}  {r.fastcnn_median_ms:9.3f} {r.fastcnn_best_ms:9.3f}  "
        f"{r.torch_median_ms:9.3f} {r.torch_best_ms:9.3f}  {r.fastcnn_images_per_second:9,.0f} "
        f"{r.torch_images_per_second:9,.0f}  {r.ratio:5.2f} {r.best_ratio:6.2f}  {r.torch_variant}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="fastcnn and PyTorch side by side, as a ratio.")
    parser.add_argument("--models", nargs="+", choices=tuple(BATCH_SIZE), default=tuple(BATCH_SIZE))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--batch-size", type=int, metavar="N", help="default: lenet 64, alexnet 16")
    parser.add_argument("--threads", type=int, default=fastcnn.num_threads(), metavar="N")
    parser.add_argument("--repeats", type=int, default=15, metavar="N", help="samples of each (default: 15)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    fastcnn.set_num_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    about = environment(arguments.threads)
    warn_if_busy()
    print(
        f"{arguments.threads} threads; median and best of {arguments.repeats} samples; "
        f"fastcnn {fastcnn.__version__} ({about['gemm']}), PyTorch {torch.__version__}"
    )
    print(HEADER)
    results = []
    for model in arguments.models:
        for mode in arguments.modes:
            batch_size = 1 if mode == "latency" else arguments.batch_size or BATCH_SIZE[model]
            results.append(measure(Case(model, mode, batch_size), arguments.repeats))
            print(row(results[-1]), flush=True)
    if arguments.json:
        print(json.dumps({"environment": about, "results": [asdict(result) for result in results]}))


if __name__ == "__main__":
    main()
