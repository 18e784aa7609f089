"""PyTorch: eager or compiled, NCHW or channels_last, with its fused SGD."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import torch_models
from versus.cases import NETWORKS, SGD, Case
from versus.convolutions import BACKWARD_DATA, BACKWARD_WEIGHTS, FORWARD, Pass
from versus.peers import ONNX, WEIGHTS, Prepared, losses_without_dropout, threads

torch.set_num_threads(threads())


def versions() -> dict[str, Any]:
    return {"version": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


def load(network: str, folder: Path) -> torch.nn.Module:
    with torch.device("meta"):  # no initial values
        model = torch_models.MODELS[network]()
    with np.load(folder / WEIGHTS) as weights:
        state = {name: torch.from_numpy(array) for name, array in weights.items()}
    model.load_state_dict(state, assign=True)
    return model


def export_onnx(network: str, folder: Path) -> None:
    """For inference on batches of any size."""
    x = torch.zeros(1, *NETWORKS[network].input_shape)
    export(load(network, folder).eval(), x, folder / ONNX)


def export(model: torch.nn.Module, x: torch.Tensor, path: Path) -> None:
    """A model of one input "x" (n, c, h, w) and one output "y", n any."""
    axes = {"x": {0: "n"}, "y": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the older one
        torch.onnx.export(
            model, (x,), str(path), dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes
        )


def prepare(case: Case, variant: str, folder: Path) -> Prepared:
    layout, _, compiled = variant.partition(" ")
    model = load(case.network, folder)
    x, y = (torch.from_numpy(array) for array in case.inputs())
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model
    if case.training:
        return _training(model, run, x, y)
    model.eval()

    def step() -> np.ndarray:
        with torch.inference_mode():
            return run(x).numpy()

    return Prepared(check=step, step=step)


def _training(model: torch.nn.Module, run: Any, x: torch.Tensor, y: torch.Tensor) -> Prepared:
    sgd = torch.optim.SGD(model.parameters(), **SGD, fused=True)

    def step() -> float:
        sgd.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(run(x), y)
        loss.backward()
        sgd.step()
        return loss.item()

    def check() -> np.ndarray:
        return losses_without_dropout(step, model.modules(), torch.nn.Dropout)

    return Prepared(check, step)


def prepare_convolution(job: Pass, variant: str) -> Prepared:
    """As for fastcnn, what a pass reads is written anew before each, in the layout of the variant, and
    that is not timed."""
    convolution = job.convolution
    arrays = [torch.from_numpy(array) for array in convolution.arrays()]
    layout = torch.channels_last if variant == "channels_last" else torch.contiguous_format
    x, w, dy = (torch.empty_like(array, memory_format=layout) for array in arrays)
    spacing = convolution.stride, convolution.padding, convolution.dilation

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return torch.nn.functional.conv2d(x, w, None, *spacing, convolution.groups)

    def backward() -> torch.Tensor:
        wanted = [job.name == BACKWARD_DATA, job.name == BACKWARD_WEIGHTS, False]
        gradients = torch.ops.aten.convolution_backward(
            dy, x, w, None, *spacing, False, [0, 0], convolution.groups, wanted
        )
        return gradients[wanted.index(True)]

    step = forward if job.name == FORWARD else backward

    def write() -> None:
        for tensor, array in zip((x, w, dy), arrays, strict=True):
            tensor.copy_(array)

    def check() -> np.ndarray:
        write()
        return step().numpy()

    def seconds() -> float:
        write()
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return Prepared(check, step, seconds)
