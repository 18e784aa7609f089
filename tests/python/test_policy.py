"""What the user chooses while models live: plans made before are never wrong, and new ones obey."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastcnn
from fastcnn import _core, nn

RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 16, 28, 28)).astype("f4")
PROVIDERS = _core.available_gemm_providers()


@pytest.fixture(autouse=True)
def as_before():
    threads, provider = _core.num_threads()[0], _core.gemm_provider()
    yield
    fastcnn.set_conv_algorithms("auto")
    _core.set_gemm_provider(provider)
    _core.set_num_threads(threads)


def net() -> nn.Sequential:
    fastcnn.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Flatten(),
        nn.Linear(5408, 4),
    )


def test_the_run_that_crashed_0_1_0() -> None:
    code = """
import numpy as np
from fastcnn import _core, nn
layer = nn.Conv2d(16, 32, 3, stride=2).eval()
x = np.random.default_rng(0).standard_normal((4, 16, 56, 56)).astype("f4")
before = np.asarray(layer(x))
for name in [*_core.available_gemm_providers(), "native"]:
    _core.set_gemm_provider(name)
    np.testing.assert_allclose(np.asarray(layer(x)), before, rtol=1e-4, atol=1e-5)
"""
    paths = os.pathsep.join([str(Path(fastcnn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "FASTCNN_ISA": "baseline"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("training", [False, True])
def test_every_setter_between_runs(training: bool) -> None:
    model = net().train(training)
    expected = np.array(model(X))
    algorithms = ("auto", "im2col", "-winograd", "winograd", "implicit")
    for threads, provider, names in itertools.product((1, 3, 2), PROVIDERS, algorithms):
        for setter, value in (
            (_core.set_num_threads, threads),
            (_core.set_gemm_provider, provider),
            (fastcnn.set_conv_algorithms, names),
        ):
            setter(value)
            np.testing.assert_allclose(np.asarray(model(X)), expected, rtol=1e-3, atol=1e-4)


def test_backward_goes_by_the_plan_of_its_forward_pass() -> None:
    def gradients(change) -> list[bytes]:
        model = net()
        loss = nn.MSELoss()(model(X), np.zeros((4, 4), np.float32))
        change()
        loss.backward()
        return [np.asarray(p.grad).tobytes() for p in model.parameters()]

    fastcnn.set_conv_algorithms("auto")
    expected = gradients(lambda: None)

    def change() -> None:
        fastcnn.set_conv_algorithms("im2col")
        _core.set_gemm_provider("native")
        _core.set_num_threads(3)

    assert gradients(change) == expected


def test_training_steps_obey_a_later_choice() -> None:
    model = net()
    trainer = fastcnn.Trainer(model, None, fastcnn.optim.SGD(model.parameters(), lr=0.01))
    labels = np.zeros(4, np.int64)

    def chosen() -> set[str]:
        """The algorithms of the plan that a step runs."""
        assert np.isfinite(trainer.step(X, labels).loss)
        (compiled,) = trainer._plans.plans().values()
        return {choice["name"] for step in compiled.plan.steps() for choice in step["algorithms"]}

    first = chosen()
    fastcnn.set_conv_algorithms("im2col")
    for provider in PROVIDERS:
        _core.set_gemm_provider(provider)
        assert chosen() == {"im2col"}
    fastcnn.set_conv_algorithms("auto")
    _core.set_gemm_provider(PROVIDERS[0])
    assert chosen() != {"im2col"} and first != {"im2col"}
