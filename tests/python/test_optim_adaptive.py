"""Adam, AdamW, RMSprop and Adagrad: against their definitions, in every way of training, and resumed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import _core, nn, optim
from fastcnn.engine.parameter import Parameter
from fastcnn.train import Trainer
from fastcnn.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

KINDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "Adam": {"betas": ((0.9, 0.999), (0.8, 0.95)), "weight_decay": (0.0, 0.1), "amsgrad": (False, True)},
    "AdamW": {"eps": (1e-8, 1e-3), "weight_decay": (0.01, 0.0, 0.3), "amsgrad": (False, True)},
    "RMSprop": {"weight_decay": (0.0, 0.1), "momentum": (0.0, 0.9), "centered": (False, True)},
    "Adagrad": {"lr_decay": (0.0, 0.1), "weight_decay": (0.0, 0.1), "initial_accumulator_value": (0.0, 0.5)},
}
CASES = [
    (kind, dict(zip(options, values, strict=True)))
    for kind, options in KINDS.items()
    for values in itertools.product(*options.values())
]
MAKERS: list[Callable[[Any], optim.Optimizer]] = [
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    lambda p: optim.AdamW(p, lr=0.01),
    lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.01),
]
makers = pytest.mark.parametrize("make", MAKERS, ids=["SGD", *KINDS])


def column(start: Any) -> nn.Linear:
    layer = nn.Linear(1, len(start), bias=False)
    layer.to(str(start.dtype))
    layer.weight.value[...] = start[:, None]
    return layer


def set_gradient(layer: nn.Linear, gradient: Any) -> None:
    layer.zero_grad()
    layer(np.ones((1, 1), gradient.dtype)).backward(gradient[None])


def reference(kind: str, w: Any, gradients: Any, o: dict[str, Any]) -> Any:
    """By the definitions, in float64."""
    s: dict[str, Any] = dict.fromkeys(("m", "v", "top", "ga", "buf"), 0.0)
    s["sum"] = o.get("initial_accumulator_value", 0.0)
    lr, decay = 0.01, o.get("weight_decay", 0.0)
    for t, given in enumerate(gradients, 1):
        g = given if kind == "AdamW" else given + decay * w
        if kind in ("Adam", "AdamW"):
            b1, b2 = o.get("betas", (0.9, 0.999))
            w = w * (1 - lr * decay) if kind == "AdamW" else w
            s["m"] = b1 * s["m"] + (1 - b1) * g
            s["v"] = b2 * s["v"] + (1 - b2) * g * g
            s["top"] = np.maximum(s["top"], s["v"]) if o["amsgrad"] else s["v"]
            root = np.sqrt(s["top"] / (1 - b2**t)) + o.get("eps", 1e-8)
            w = w - lr * s["m"] / (1 - b1**t) / root
        elif kind == "RMSprop":
            s["v"] = 0.99 * s["v"] + 0.01 * g * g
            s["ga"] = 0.99 * s["ga"] + 0.01 * g if o["centered"] else 0.0
            s["buf"] = o["momentum"] * s["buf"] + g / (np.sqrt(s["v"] - s["ga"] ** 2) + 1e-8)
            w = w - lr * s["buf"]
        else:
            s["sum"] = s["sum"] + g * g
            w = w - lr / (1 + (t - 1) * o["lr_decay"]) * g / (np.sqrt(s["sum"]) + 1e-10)
    return w


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_steps_are_those_of_the_definition(kind: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    start = rng.normal(size=35)
    gradients = rng.normal(size=(50, 35))
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 1e-5)):
        layer = column(start.astype(dtype))
        optimizer = getattr(optim, kind)(layer.parameters(), lr=0.01, **options)
        for gradient in gradients:
            set_gradient(layer, gradient.astype(dtype))
            optimizer.step()
        np.testing.assert_allclose(
            layer.weight.numpy()[:, 0], reference(kind, start, gradients, options), 0, tolerance
        )


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_steps_are_those_of_torch(kind: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    start = rng.normal(size=35).astype(np.float32)
    layer, theirs = column(start), torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(optim, kind)(layer.parameters(), lr=0.01, **options)
    other = getattr(torch.optim, kind)([theirs], lr=0.01, **options)
    for _ in range(50):
        gradient = rng.normal(size=35).astype(np.float32)
        set_gradient(layer, gradient)
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        other.step()
    np.testing.assert_allclose(layer.weight.numpy()[:, 0], theirs.detach().numpy(), 1e-6, 1e-6)


def trained(make: Any, steps: int, *, by_loop: bool = False, resume: Path | None = None) -> Any:
    fastcnn.manual_seed(5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(1100, 1031), nn.ReLU(), nn.Linear(1031, 4))
    optimizer = make(model.parameters())
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer)
    rng = np.random.default_rng(6)
    batches = [(rng.normal(size=(8, 1100)).astype(np.float32), rng.integers(0, 4, 8)) for _ in range(steps)]
    for i, (x, y) in enumerate(batches):
        if resume is not None and i == steps // 2:
            save_checkpoint(resume, model, optimizer)
            fastcnn.manual_seed(9)
            model = nn.Sequential(nn.Flatten(), nn.Linear(1100, 1031), nn.ReLU(), nn.Linear(1031, 4))
            optimizer = make(model.parameters())
            load_checkpoint(resume, model, optimizer)
            trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer)
        if by_loop:
            optimizer.zero_grad()
            nn.CrossEntropyLoss()(model(x), y).backward()
            optimizer.step()
        else:
            trainer.step(x, y)
    return [p.numpy().tobytes() for p in model.parameters()]


@makers
def test_every_way_and_number_of_threads_leaves_the_same_bytes(make: Any) -> None:
    before = _core.num_threads()[0]
    try:
        _core.set_num_threads(1)
        expected = trained(make, 4, by_loop=True)
        for threads in (1, 2, 3, 8):
            _core.set_num_threads(threads)
            assert trained(make, 4) == expected
    finally:
        _core.set_num_threads(before)


@makers
def test_a_resumed_run_goes_on_to_the_bit(make: Any, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    assert trained(make, 4, resume=tmp_path / "c.safetensors") == trained(make, 4)


def test_a_state_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = nn.Linear(3, 2)
    adam, sgd = optim.Adam(model.parameters()), optim.SGD(model.parameters(), momentum=0.9)
    with pytest.raises(ValueError, match=r"SGD.load_state_dict: the state is another optimiser's"):
        sgd.load_state_dict(adam.state_dict())
    with pytest.raises(ValueError, match=r"Adam.load_state_dict: the state is another optimiser's"):
        adam.load_state_dict(sgd.state_dict())
    save_checkpoint(tmp_path / "c.safetensors", model, adam)
    with pytest.raises(CheckpointError, match="its optimiser is Adam, expected AdamW"):
        load_checkpoint(tmp_path / "c.safetensors", model, optim.AdamW(model.parameters()))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("Adam", {"lr": -1}, "Adam: lr is -1, expected at least 0"),
        ("AdamW", {"betas": (0.9, 1.0)}, r"AdamW: betas is \(0.9, 1.0\)"),
        ("RMSprop", {"alpha": 2}, "RMSprop: alpha is 2, expected at most 1"),
        ("Adagrad", {"initial_accumulator_value": -1}, "initial_accumulator_value is -1"),
    ],
)
def test_wrong_settings_are_refused(kind: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(optim, kind)(nn.Linear(2, 2).parameters(), **settings)


def test_schedules_set_the_rate_and_frozen_parameters_stay() -> None:
    a, b = column(np.ones(3, np.float32)), column(np.ones(3, np.float32))
    frozen = Parameter(np.ones(3, np.float32), requires_grad=False)
    groups = [{"params": a.weight}, {"params": [b.weight, frozen], "lr": 0.5}]
    optimizer = optim.Adam(groups, lr=0.1)
    schedule = optim.StepLR(optimizer, step_size=1, gamma=0.1)
    schedule.step()
    set_gradient(a, np.ones(3, np.float32))
    set_gradient(b, np.ones(3, np.float32))
    optimizer.step()
    np.testing.assert_allclose(a.weight.numpy(), 1 - 0.01, rtol=1e-6)
    np.testing.assert_allclose(b.weight.numpy(), 1 - 0.05, rtol=1e-6)
    np.testing.assert_array_equal(frozen.numpy(), 1)
    assert optimizer.state_dict()["exp_avg"].keys() == {0, 1}
