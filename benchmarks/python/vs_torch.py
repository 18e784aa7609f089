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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch_models

import fastcnn
from fastcnn import models, nn, optim

SGD = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}
BATCH_SIZE = {"lenet": 64, "alexnet": 16}
TOLERANCE = 1e-3
SAMPLE_SECONDS = 0.1  # a sample is as many steps as fill this, at least one
MODES = ("training", "inference", "latency")

Step = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """What is timed: training steps, inference of a batch, or of one image (latency)."""

    model: str
    mode: str
    batch_size: int

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (n, c, h, w) and labels int64 (n)."""
        entry = models.find(self.model)
        random = np.random.default_rng(0)
        x = random.standard_normal((self.batch_size, *entry.input_shape), np.float32)
        return x, random.integers(0, entry.num_classes, self.batch_size)


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


def fastcnn_step(case: Case, weights: dict[str, np.ndarray]) -> Step:
    model = models.find(case.model).build(models.find(case.model).num_classes)
    model.load_state_dict(weights)
    x, y = case.inputs()
    if case.mode != "training":
        model.eval()
        return lambda: np.asarray(model(x))
    trainer = fastcnn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), **SGD))
    return lambda: trainer.step(x, y)


def torch_steps(case: Case, weights: dict[str, np.ndarray]) -> Iterator[tuple[str, Step]]:
    """PyTorch's variants, one at a time, so that only one holds memory."""
    for layout in ("NCHW", "channels_last"):
        if case.mode == "training":
            for optimizer in ("fused", "foreach"):
                yield f"{layout}, {optimizer} SGD", torch_training(case, weights, layout, optimizer)
        else:
            yield layout, torch_inference(case, weights, layout)


def torch_model(
    case: Case, weights: dict[str, np.ndarray], layout: str
) -> tuple[torch.nn.Module, torch.Tensor]:
    """The model and its input, both in `layout`."""
    model = torch_models.MODELS[case.model]()
    model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})
    x = torch.from_numpy(case.inputs()[0])
    if layout == "channels_last":
        return model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    return model, x


def torch_inference(case: Case, weights: dict[str, np.ndarray], layout: str) -> Step:
    model, x = torch_model(case, weights, layout)
    model.eval()

    def step() -> np.ndarray:
        with torch.inference_mode():
            return model(x).numpy()

    return step


def torch_training(case: Case, weights: dict[str, np.ndarray], layout: str, optimizer: str) -> Step:
    model, x = torch_model(case, weights, layout)
    y = torch.from_numpy(case.inputs()[1])
    sgd = torch.optim.SGD(model.parameters(), **SGD, **{optimizer: True})

    def step() -> float:
        sgd.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        return loss.item()

    return step


def initial_weights(model: str) -> dict[str, np.ndarray]:
    fastcnn.manual_seed(0)
    entry = models.find(model)
    return {name: np.array(w) for name, w in entry.build(entry.num_classes).state_dict().items()}


def difference(case: Case, weights: dict[str, np.ndarray]) -> float:
    """Largest difference of the logits, relative to the largest logit, in inference with these weights.

    Raises:
        SystemExit: it is above TOLERANCE: timings of different computations mean nothing.
    """
    case = Case(case.model, "inference", min(case.batch_size, 4))
    ours = np.asarray(fastcnn_step(case, weights)())
    theirs = np.asarray(torch_inference(case, weights, "NCHW")())
    worst = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not worst <= TOLERANCE:
        sys.exit(f"{case.model}: results differ by {worst:.1e}, expected at most {TOLERANCE:.0e}")
    return worst


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
