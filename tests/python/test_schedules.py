"""Schedules of learning rates against PyTorch's, and against cuda-convnet2's formulas."""

import json
import math

import pytest

from fastcnn import nn, optim

PYTORCH = {
    "step": ("StepLR", {"step_size": 4, "gamma": 0.5}),
    "multistep": ("MultiStepLR", {"milestones": [3, 9, 10]}),
    "constant": ("ConstantLR", {"factor": 0.25, "total_iters": 6}),
    "linear": ("LinearLR", {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 7}),
    "exponential": ("ExponentialLR", {"gamma": 0.9}),
    "polynomial": ("PolynomialLR", {"total_iters": 12, "power": 0.9}),
    "cosine": ("CosineAnnealingLR", {"T_max": 12, "eta_min": 0.001}),
    "one cycle": ("OneCycleLR", {"max_lr": [0.5, 0.05], "total_steps": 30}),
    "one cycle in three lines": (
        "OneCycleLR",
        {
            "max_lr": 0.5,
            "total_steps": 33,
            "three_phase": True,
            "anneal_strategy": "linear",
            "pct_start": 0.4,
        },
    ),
    "one cycle without momentum": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 30, "cycle_momentum": False}),
}


def made(momentum=0.9, lrs=(0.1, 0.02)):
    layers = [nn.Linear(2, 2) for _ in lrs]
    groups = [{"params": layer.parameters(), "lr": lr} for layer, lr in zip(layers, lrs, strict=True)]
    return optim.SGD(groups, momentum=momentum)


def torch_made(torch, momentum=0.9, lrs=(0.1, 0.02)):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))], "lr": lr} for lr in lrs]
    return torch.optim.SGD(groups, momentum=momentum)


def settings(optimizer):
    return [(group["lr"], group["momentum"]) for group in optimizer.param_groups]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PYTORCH)
def test_values_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    kind, arguments = PYTORCH[name]
    optimizer, other = made(), torch_made(torch)
    schedule = getattr(optim, kind)(optimizer, **arguments)
    expected = getattr(torch.optim.lr_scheduler, kind)(other, **arguments)
    for _ in range(29):
        for ours, theirs in zip(settings(optimizer), settings(other), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)
        assert schedule.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        schedule.step()
        expected.step()


@pytest.mark.filterwarnings("ignore")
def test_a_warm_up_and_what_follows_are_pytorchs():
    torch = pytest.importorskip("torch")
    optimizer, other = made(), torch_made(torch)
    schedule = optim.SequentialLR(
        optimizer,
        [optim.LinearLR(optimizer, 0.1, total_iters=5), optim.CosineAnnealingLR(optimizer, 20)],
        [5],
    )
    parts = torch.optim.lr_scheduler
    expected = parts.SequentialLR(
        other, [parts.LinearLR(other, 0.1, total_iters=5), parts.CosineAnnealingLR(other, 20)], [5]
    )
    for _ in range(25):
        for ours, theirs in zip(settings(optimizer), settings(other), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)
        schedule.step()
        expected.step()


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_a_plateau_is_pytorchs(mode, threshold_mode):
    torch = pytest.importorskip("torch")
    arguments = {
        "mode": mode,
        "factor": 0.5,
        "patience": 2,
        "threshold": 0.05,
        "threshold_mode": threshold_mode,
        "cooldown": 1,
        "min_lr": 0.01,
    }
    optimizer, other = made(), torch_made(torch)
    schedule = optim.ReduceLROnPlateau(optimizer, **arguments)
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **arguments)
    seen = set()
    for step in range(60):
        metric = math.cos(0.2 * step) + 2 + (step % 7) * 0.01 if step != 20 else math.nan
        schedule.step(metric)
        expected.step(metric)
        assert settings(optimizer) == settings(other)
        seen.add(settings(optimizer)[0])
    assert len(seen) > 2


def test_a_function_of_the_step_for_each_group():
    optimizer = made()
    schedule = optim.LambdaLR(optimizer, [lambda t: 1 / (1 + t), lambda _: 2.0])
    for _ in range(3):
        schedule.step()
    assert schedule.get_last_lr() == [0.1 / 4, 0.04]


def cuda_convnet2(kind, base, progress, target=None, steps=None):
    """lr.cu, line by line."""
    if kind == "const":
        return base
    if kind == "linear":
        return base * (1 - progress) + base / target * progress
    if kind == "exp":
        return base * (1 / target) ** progress
    rates = [base * (1 / target) ** (i / (steps - 1)) for i in range(steps - 1)] + [base / target]
    for i, rate in enumerate(rates):
        if progress <= (i + 1) / len(rates):
            return rate
    return rates[-1]


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize(
    "kind, arguments",
    [
        ("const", ()),
        ("linear", (1000,)),
        ("exp", (250,)),
        ("dexp", (250, 4)),
        ("dexp", (10, 2)),
        ("dexp", (10, 1)),
    ],
)
def test_curves_are_cuda_convnet2s(kind, arguments, period):
    optimizer = made()
    curve = getattr(optim.curves, kind)(*arguments)
    schedule = optim.ProgressLR(optimizer, [curve, optim.curves.const()], total_steps=24, period=period)
    for t in range(24):
        progress = t // period * period / 24
        expected = cuda_convnet2(kind, 0.1, progress, *arguments)
        assert schedule.get_last_lr() == [pytest.approx(expected, rel=1e-12), 0.02]
        schedule.step()
    for _ in range(3):
        assert schedule.get_last_lr()[0] == pytest.approx(cuda_convnet2(kind, 0.1, 1.0, *arguments))
        schedule.step()


def test_dexp_divides_at_equal_parts_of_training():
    # LearningRates.md: dexp[base=0.01;numSteps=4;tgtFactor=1000] divides by 10 at 25 %, 50 % and 75 %.
    curve = optim.curves.dexp(1000, 4)
    assert [curve(p) for p in (0.1, 0.4, 0.6, 0.9, 1.0)] == pytest.approx([1, 0.1, 0.01, 0.001, 0.001])
    assert [curve(p) for p in (0.25, 0.26)] == pytest.approx([1, 0.1])


def resumable(optimizer):
    return [
        optim.StepLR(optimizer, 3),
        optim.CosineAnnealingLR(optimizer, 10),
        optim.OneCycleLR(optimizer, 0.3, 20),
        optim.ProgressLR(optimizer, optim.curves.exp(100), 20),
        optim.SequentialLR(
            optimizer, [optim.LinearLR(optimizer, 0.1), optim.ExponentialLR(optimizer, 0.9)], [5]
        ),
    ]


@pytest.mark.parametrize("which", range(5))
def test_state_goes_on_exactly_in_another_schedule(which):
    optimizer, other = made(), made(lrs=(7.0, 8.0))
    schedule, resumed = resumable(optimizer)[which], resumable(other)[which]
    for _ in range(7):
        schedule.step()
    state = json.loads(json.dumps(schedule.state_dict()))
    resumed.load_state_dict(state)
    for _ in range(5):
        assert settings(other) == settings(optimizer)
        schedule.step()
        resumed.step()


def test_the_state_of_a_plateau_goes_on():
    optimizer, other = made(), made()
    schedule = optim.ReduceLROnPlateau(optimizer, patience=3)
    resumed = optim.ReduceLROnPlateau(other, patience=3)
    for metric in (3, 2, 2, 2):
        schedule.step(metric)
    resumed.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    for one in (schedule, resumed):
        one.step(2)
        one.step(2)
    assert settings(optimizer) == settings(other) == [(pytest.approx(0.01), 0.9), (pytest.approx(0.002), 0.9)]


def test_a_second_schedule_starts_from_the_base_rates():
    optimizer = made()
    schedule = optim.StepLR(optimizer, 1)
    schedule.step()
    assert optim.StepLR(optimizer, 5).get_last_lr() == [0.1, 0.02]


def test_misuse_is_named():
    optimizer = made()
    for make, words in [
        (lambda: optim.StepLR(optimizer, 0), "StepLR: step_size is 0"),
        (lambda: optim.LinearLR(optimizer, 2.0), "start_factor is 2.0, expected 0 to 1"),
        (lambda: optim.CosineAnnealingLR(optimizer, 2.5), r"T_max is 2\.5"),
        (lambda: optim.OneCycleLR(optimizer, [1.0], 5), "1 of max_lr for 2 groups"),
        (lambda: optim.OneCycleLR(optimizer, 1.0, 5, anneal_strategy="sin"), "'sin'"),
        (lambda: optim.ReduceLROnPlateau(optimizer, "low"), "'low'"),
        (lambda: optim.ReduceLROnPlateau(optimizer, factor=1.0), "factor is 1.0"),
        (lambda: optim.SequentialLR(optimizer, [optim.StepLR(made(), 3)], []), "of this optimizer"),
        (lambda: optim.SequentialLR(optimizer, [optim.StepLR(optimizer, 3)], [4]), "expected one fewer"),
        (lambda: optim.curves.exp(0), "target_factor is 0"),
        (lambda: optim.curves.dexp(10, 0), "num_steps is 0"),
        (lambda: optim.LambdaLR(optimizer, [abs]), "1 of lr_lambda for 2 groups"),
    ]:
        with pytest.raises(ValueError, match=words):
            make()
    with pytest.raises(ValueError, match="the state is of CosineAnnealingLR"):
        optim.StepLR(optimizer, 3).load_state_dict(optim.CosineAnnealingLR(optimizer, 3).state_dict())
    with pytest.raises(ValueError, match="rates of 2 groups, expected 1"):
        optim.StepLR(made(lrs=(0.1,)), 3).load_state_dict(optim.StepLR(optimizer, 3).state_dict())
    schedule = optim.OneCycleLR(optimizer, 1.0, 2)
    schedule.step()
    schedule.step()
    with pytest.raises(ValueError, match="step 3 of 2"):
        schedule.step()
