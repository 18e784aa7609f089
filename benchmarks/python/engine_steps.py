"""One step of each engine: fastcnn's, and PyTorch's in its variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch_models

import fastcnn
from fastcnn import models, nn, optim

SGD = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}

Step = Callable[[], Any]


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


def initial_weights(model: str) -> dict[str, np.ndarray]:
    fastcnn.manual_seed(0)
    entry = models.find(model)
    return entry.build(entry.num_classes).state_dict()


def fastcnn_step(case: Case, weights: dict[str, np.ndarray], dropout: bool = True) -> Step:
    """Gives the loss before the step in training, the logits in inference."""
    entry = models.find(case.model)
    model = entry.build(entry.num_classes)
    model.load_state_dict(weights)
    x, y = case.inputs()
    if case.mode != "training":
        model.eval()
        return lambda: model(x).numpy()
    if not dropout:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    trainer = fastcnn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), **SGD))
    return lambda: trainer.step(x, y).loss


def torch_steps(case: Case, weights: dict[str, np.ndarray]) -> Iterator[tuple[str, Step]]:
    """PyTorch's variants, one at a time, so that only one holds memory."""
    for layout in ("NCHW", "channels_last"):
        if case.mode == "training":
            for optimizer in ("fused", "foreach"):
                yield f"{layout}, {optimizer} SGD", torch_training(case, weights, layout, optimizer)
        else:
            yield layout, torch_inference(case, weights, layout)


def torch_inference(case: Case, weights: dict[str, np.ndarray], layout: str = "NCHW") -> Step:
    """Gives the logits."""
    model, x = _torch_model(case, weights, layout)
    model.eval()

    def step() -> np.ndarray:
        with torch.inference_mode():
            return model(x).numpy()

    return step


def torch_training(
    case: Case,
    weights: dict[str, np.ndarray],
    layout: str = "NCHW",
    optimizer: str = "fused",
    dropout: bool = True,
) -> Step:
    """Gives the loss before the step."""
    model, x = _torch_model(case, weights, layout)
    if not dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    y = torch.from_numpy(case.inputs()[1])
    sgd = torch.optim.SGD(model.parameters(), **SGD, **{optimizer: True})

    def step() -> float:
        sgd.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        return loss.item()

    return step


def _torch_model(
    case: Case, weights: dict[str, np.ndarray], layout: str
) -> tuple[torch.nn.Module, torch.Tensor]:
    """The model and its input, both in `layout`."""
    model = torch_models.MODELS[case.model]()
    model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})
    x = torch.from_numpy(case.inputs()[0])
    if layout == "channels_last":
        return model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    return model, x


def difference(case: Case, weights: dict[str, np.ndarray]) -> float:
    """How far the engines' results are apart, relative to the largest: logits of up to four images, or the
    losses of three training steps without dropout, whose masks are each engine's own."""
    case = Case(case.model, case.mode, min(case.batch_size, 4))
    if case.mode == "training":
        sides = fastcnn_step(case, weights, dropout=False), torch_training(case, weights, dropout=False)
        ours, theirs = (np.array([step() for _ in range(3)]) for step in sides)
    else:
        ours, theirs = fastcnn_step(case, weights)(), torch_inference(case, weights)()
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
