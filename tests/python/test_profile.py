"""Module.profile, and the ceilings that its times are compared with."""

import json

import numpy as np
import pytest

import fastcnn
from fastcnn import ceilings, models, nn

CEILINGS = ceilings.Ceilings(flops=2e11, flops_one=1e11, read=4e10, read_one=2e10, add=5e10, add_one=2e10)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(ceilings, "_known", {})
    return tmp_path / "fastcnn" / "ceilings.json"


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((4, 1, 28, 28), np.float32)


def test_training_leaves_parameters_modes_and_random_masks_alone(images):
    model = nn.Sequential(models.lenet(), nn.Dropout(0.5)).eval()
    before = model.state_dict()
    profile = model.profile(images, np.zeros(4, np.int64), seconds=0)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert profile.training and profile.runs == 5
    assert any(step.kind == "dropout" for step in profile.steps)


def test_backward_counts_each_product_for_each_gradient_that_is_wanted(images):
    steps = {
        step.name: step for step in models.lenet().profile(images, np.zeros(4, np.int64), seconds=0).steps
    }
    assert steps["conv1 backward"].operations == steps["conv1"].operations  # dw alone
    assert steps["conv2 backward"].operations == 2 * steps["conv2"].operations
    assert steps["pool1"].operations == 0
    assert steps["pool1"].bytes == 4 * (24 * 24 + 12 * 12) * 80 + 12 * 12 * 80 + 16  # x, y, index


def test_steps_have_the_layers_that_they_hold(images):
    inference = {step.name: step.layers for step in models.lenet().profile(images, seconds=0).steps}
    assert all(" + ".join(layers) == name for name, layers in inference.items())
    assert inference["conv1"] == ("conv1",) and any(len(layers) == 2 for layers in inference.values())
    training = models.lenet().profile(images, np.zeros(4, np.int64), seconds=0).steps
    assert {step.name: step.layers for step in training}["conv2 backward"] == ("conv2",)
    assert all(bool(step.layers) == bool(step.kind) for step in training)


def test_floor_is_the_larger_of_operations_and_bytes(images, monkeypatch):
    monkeypatch.setattr(ceilings, "stored", lambda: CEILINGS)
    for step in models.lenet().profile(images, seconds=0).steps:
        assert step.floor_ms == pytest.approx(1e3 * max(step.operations / 2e11, step.bytes / 5e10))


def test_without_ceilings_there_is_no_floor(images):
    profile = models.lenet().profile(images, seconds=0)
    assert all(step.floor_ms is None and step.of_floor is None for step in profile.steps)
    assert json.loads(json.dumps(profile.to_dict()))["steps"][0]["name"] == "conv1"
    assert "conv1" in str(profile)


def test_ceilings_are_measured_once_and_kept(monkeypatch):
    assert ceilings.stored() is None
    measured = ceilings.measure()
    assert measured.flops > 1e9 and measured.read > 1e8 and measured.add > 1e8
    assert ceilings.stored() == measured
    monkeypatch.setattr(ceilings, "_known", {})
    assert ceilings.stored() == measured  # from the file
    assert fastcnn.info()["ceilings"]["flops"] == measured.flops


@pytest.mark.parametrize("content", ["", "[]", "{", '{"other": {}}'])
def test_a_file_of_ceilings_that_makes_no_sense_counts_as_none(cache, content):
    cache.parent.mkdir()
    cache.write_text(content)
    assert ceilings.stored() is None


def test_trace_prints_times_of_the_third_run(images, monkeypatch, capsys):
    monkeypatch.setenv("FASTCNN_TRACE", "1")
    model = models.lenet().eval()
    model(images), model(images)
    assert "GFLOP/s" not in capsys.readouterr().err
    model(images)
    assert "GFLOP/s" in capsys.readouterr().err
    model(images)
    assert capsys.readouterr().err == ""
