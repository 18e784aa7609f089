"""fastcnn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import fastcnn
from fastcnn import models, nn, optim
from fastcnn.engine.compiled import trace
from fastcnn.engine.symbol import Argument
from fastcnn.engine.tracer import Scope
from versus.cases import NETWORKS, SGD, Case
from versus.convolutions import BACKWARD_DATA, FORWARD, Pass
from versus.peers import WEIGHTS, Prepared, losses_without_dropout, threads

fastcnn.set_num_threads(threads())


def versions() -> dict[str, Any]:
    return fastcnn.info()


def write_weights(network: str, folder: Path) -> None:
    """Initial weights for all engines. What batch normalisation starts as 0 and 1 becomes random, so that a
    mean or a variance left out shows."""
    fastcnn.manual_seed(0)
    entry = models.find(network)
    weights = entry.build(entry.num_classes).state_dict()
    random = np.random.default_rng(0)
    for name in weights:
        layer, _, kind = name.rpartition(".")
        if f"{layer}.running_mean" not in weights or kind == "num_batches_tracked":
            continue
        positive = kind in ("weight", "running_var")
        shape = weights[name].shape
        values = random.uniform(0.5, 1.5, shape) if positive else random.normal(0, 0.1, shape)
        weights[name] = values.astype(np.float32)
    np.savez(folder / WEIGHTS, **weights)


def prepare(case: Case, variant: str, folder: Path) -> Prepared:
    del variant  # there is one
    entry = models.find(case.network)
    model = entry.build(entry.num_classes)
    with np.load(folder / WEIGHTS) as weights:
        model.load_state_dict(dict(weights))
    x, y = case.inputs()
    if not case.training:
        model.eval()
        return Prepared(check=lambda: model(x).numpy(), step=lambda: model(x).numpy())
    trainer = fastcnn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), **SGD))

    def step() -> float:
        return trainer.step(x, y).loss

    def check() -> np.ndarray:
        return losses_without_dropout(step, model.modules(), nn.Dropout)

    return Prepared(check, step)


def predicted_memory(case: Case) -> int:
    """What a training step adds to a model that is there."""
    model = models.find(case.network).build(NETWORKS[case.network].num_classes)
    memory = model.memory((case.batch_size, *NETWORKS[case.network].input_shape))
    return memory.total - memory.parameters


def prepare_convolution(job: Pass, variant: str) -> Prepared:
    """A pass as a training step runs it. Arrays come and go as NCHW before and after each; that is not timed,
    since between layers nothing is converted."""
    del variant  # there is one
    convolution = job.convolution
    x, w, dy = convolution.arrays()
    channels_and_kernel = convolution.x[1], convolution.w[0], convolution.w[2:]
    options = (
        convolution.stride,
        convolution.padding,
        convolution.dilation,
        convolution.groups,
        False,  # bias
    )
    if convolution.local:
        layer = nn.LocallyConnected2d(*channels_and_kernel, convolution.x[2:], *options)
    else:
        layer = nn.Conv2d(*channels_and_kernel, *options)
    layer.load_state_dict({"weight": w})
    layer.weight.requires_grad = job.name != BACKWARD_DATA
    argument = Argument("x", x.shape, "float32", requires_grad=job.name == BACKWARD_DATA)
    compiled = trace(layer, [argument], scope=Scope(("", layer)), dtype="float32", training=True)
    executor = compiled.acquire()
    executor.set_timing(True)
    phase = "forward" if job.name == FORWARD else "backward"
    timed = np.array([step["phase"] == phase for step in compiled.plan.steps()])

    def check() -> np.ndarray:
        layer.zero_grad()
        (y,) = executor.run([x], 0, 0)
        if job.name == FORWARD:
            return y
        gradients = executor.backward([dy])
        return gradients[0] if job.name == BACKWARD_DATA else layer.weight.grad.copy()

    def seconds() -> float:
        check()
        return float(np.array(executor.step_seconds())[timed].sum())

    return Prepared(check, step=check, seconds=seconds)
