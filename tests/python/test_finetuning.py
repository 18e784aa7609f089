"""Layers that stay as they are, or start anew."""

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import nn, optim
from fastcnn.train import Trainer, freeze, freeze_all_but, reset, unfreeze


def made():
    fastcnn.manual_seed(1)
    model = TwoPaths()
    return model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def changed(model, before):
    return {name for name, array in model.state_dict().items() if not np.array_equal(array, before[name])}


def test_frozen_layers_stay_and_thaw():
    model, optimizer = made()
    trainer = Trainer(model, optimizer=optimizer)
    before = model.state_dict()
    assert freeze(model, "conv*") == ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
    trainer.step(*batch())
    assert changed(model, before) == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    before = model.state_dict()
    assert unfreeze(model, "conv2.bias") == ["conv2.bias"]
    trainer.step(*batch())
    assert "conv2.bias" in changed(model, before) and "conv2.weight" not in changed(model, before)
    assert len(unfreeze(model)) == 8


def test_the_head_alone_is_trained():
    model, optimizer = made()
    before = model.state_dict()
    assert freeze_all_but(model, "fc2") == ["fc2.weight", "fc2.bias"]
    Trainer(model, optimizer=optimizer).step(*batch())
    assert changed(model, before) == {"fc2.weight", "fc2.bias"}


def test_a_layer_starts_anew():
    model, optimizer = made()
    Trainer(model, optimizer=optimizer).step(*batch())
    before = model.state_dict()
    assert reset(model, "fc2", optimizer=optimizer) == ["fc2"]
    assert changed(model, before) == {"fc2.weight", "fc2.bias"}
    assert optimizer.state_dict()["velocity"].keys() == set(range(6))


def test_running_statistics_start_anew():
    model = nn.Sequential({"block": nn.Sequential({"norm": nn.BatchNorm2d(3)})})
    model.block.norm.running_mean.value[...] = 7
    assert reset(model, "block") == ["block.norm"]
    np.testing.assert_array_equal(model.block.norm.running_mean.numpy(), 0)


def test_a_layer_that_is_not_there_is_named():
    model, _ = made()
    for function in (freeze, unfreeze, freeze_all_but):
        with pytest.raises(ValueError, match="no parameter fits 'fc3'; did you mean"):
            function(model, "fc1", "fc3")
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match="no layer with parameters fits 'relu1'"):
        reset(model, "relu1")
    with pytest.raises(ValueError, match="name the layers"):
        freeze_all_but(model)
    with pytest.raises(ValueError, match="name the layers"):
        reset(model)
