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
    if convolution.local:
        return _prepare_local(job, variant)
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


def _prepare_local(job: Pass, variant: str) -> Prepared:
    """PyTorch has no such layer. What comes nearest: windows copied into the rows of a matrix for each
    position, and a batched product, with autograd's gradients. In NCHW windows are what `unfold` gives; in
    channels_last they are taken by views, so that channels are copied together, and weights lie to match."""
    convolution = job.convolution
    if convolution.groups != 1 or convolution.dilation != (1, 1):
        raise ValueError(f"{convolution.name}: groups and dilation of local layers are not written here")
    (n, _, _, _), (_, c_out, h_out, w_out) = convolution.x, convolution.y
    is_last = variant == "channels_last"
    layout = torch.channels_last if is_last else torch.contiguous_format
    x_array, w_array, dy_array = (torch.from_numpy(array) for array in convolution.arrays())
    if not is_last:
        w_array = w_array.permute(0, 1, 4, 2, 3, 5)
    w_array = w_array.reshape(h_out * w_out, -1, c_out)
    x, dy = (torch.empty_like(array, memory_format=layout) for array in (x_array, dy_array))
    w = torch.empty_like(w_array)
    sources = {BACKWARD_DATA: x, BACKWARD_WEIGHTS: w}
    (stride_h, stride_w), (pad_h, pad_w) = convolution.stride, convolution.padding

    def windows() -> torch.Tensor:
        if not is_last:
            spacing = convolution.dilation, convolution.padding, convolution.stride
            return torch.nn.functional.unfold(x, convolution.w[2:], *spacing).permute(2, 0, 1)
        padded = torch.nn.functional.pad(x, (pad_w, pad_w, pad_h, pad_h))
        views = padded.unfold(2, convolution.w[2], stride_h).unfold(3, convolution.w[3], stride_w)
        return views.permute(2, 3, 0, 4, 5, 1).reshape(h_out * w_out, n, -1)

    def forward() -> torch.Tensor:
        y = torch.bmm(windows(), w).reshape(h_out, w_out, n, c_out).permute(2, 3, 0, 1)
        return y.contiguous(memory_format=layout)

    def write() -> None:
        with torch.no_grad():
            for tensor, array in zip((x, w, dy), (x_array, w_array, dy_array), strict=True):
                tensor.copy_(array)

    def run() -> tuple[torch.Tensor, float]:
        write()
        if job.name == FORWARD:
            with torch.inference_mode():
                start = time.perf_counter()
                y = forward()
                return y, time.perf_counter() - start
        source = sources[job.name].requires_grad_()
        y = forward()
        start = time.perf_counter()
        (gradient,) = torch.autograd.grad(y, source, dy)
        return gradient, time.perf_counter() - start

    def check() -> np.ndarray:
        result = run()[0]
        if job.name != BACKWARD_WEIGHTS:
            return result.numpy()
        _, c_in, k_h, k_w = convolution.w
        window = (k_h, k_w, c_in) if is_last else (c_in, k_h, k_w)
        result = result.reshape(h_out, w_out, *window, c_out)
        return (result if is_last else result.permute(0, 1, 3, 4, 2, 5)).numpy()

    return Prepared(check, step=check, seconds=lambda: run()[1])
