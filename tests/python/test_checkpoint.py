"""Checkpoints: exact resume, and files that are not what they should be."""

import json
import os

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import optim
from fastcnn.train import CheckpointError, Trainer, load_checkpoint, save_checkpoint

safetensors = pytest.importorskip("safetensors.numpy")


def made(seed=1):
    fastcnn.manual_seed(seed)
    model = TwoPaths(0.5)
    return model, optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)


def train(model, optimizer, seeds):
    trainer = Trainer(model, optimizer=optimizer)
    for seed in seeds:
        trainer.step(*batch(seed=seed))


def digest(model):
    return b"".join(array.tobytes() for array in model.state_dict().values())


@pytest.fixture
def saved(tmp_path):
    model, optimizer = made()
    train(model, optimizer, range(2))
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, model, optimizer, step=2, epoch=1, metadata={"data": "digits"})
    return path


def test_a_resumed_run_is_the_uninterrupted_one_to_the_bit(saved):
    model, optimizer = made()
    train(model, optimizer, range(5))
    resumed, other = made(seed=99)
    other.param_groups[0]["lr"] = 3.0
    checkpoint = load_checkpoint(saved, resumed, other)
    assert checkpoint.step == 2 and checkpoint.epoch == 1 and checkpoint.metadata == {"data": "digits"}
    assert other.param_groups[0]["lr"] == 0.05
    train(resumed, other, range(2, 5))
    assert digest(resumed) == digest(model)


def scheduled(seed=1):
    model, optimizer = made(seed)
    warmup = optim.LinearLR(optimizer, 0.1, total_iters=3)
    rest = optim.CosineAnnealingLR(optimizer, 6)
    schedule = optim.SequentialLR(optimizer, [warmup, rest], [3])
    return Trainer(model, None, optimizer, schedule)


def test_a_schedule_is_resumed_to_the_bit(tmp_path):
    whole, trainer, resumed = scheduled(), scheduled(), scheduled(seed=99)
    fastcnn.manual_seed(7)
    for seed in range(7):
        whole.step(*batch(seed=seed))
    fastcnn.manual_seed(7)
    for seed in range(4):
        trainer.step(*batch(seed=seed))
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, trainer.model, trainer.optimizer, schedule=trainer.schedule)
    resumed.optimizer.param_groups[0]["lr"] = 3.0
    load_checkpoint(path, resumed.model, resumed.optimizer, schedule=resumed.schedule)
    assert resumed.schedule.count == 4
    for seed in range(4, 7):
        resumed.step(*batch(seed=seed))
    assert digest(resumed.model) == digest(whole.model)
    assert resumed.schedule.get_last_lr() == whole.schedule.get_last_lr()


def test_a_schedule_that_does_not_fit_changes_nothing(saved, tmp_path):
    trainer = scheduled(seed=3)
    before, rate = digest(trainer.model), trainer.schedule.get_last_lr()
    with pytest.raises(CheckpointError, match="no state of a schedule"):
        load_checkpoint(saved, trainer.model, trainer.optimizer, schedule=trainer.schedule)
    model, optimizer = made()
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, model, optimizer, schedule=optim.StepLR(optimizer, 5))
    with pytest.raises(CheckpointError, match="the state is of StepLR"):
        load_checkpoint(path, trainer.model, trainer.optimizer, schedule=trainer.schedule)
    assert digest(trainer.model) == before and trainer.schedule.get_last_lr() == rate
    # A schedule that fits, with an optimiser that doesn't.
    other = optim.SGD([*trainer.model.parameters()][:3], lr=0.7)
    schedule = optim.StepLR(other, 5)
    with pytest.raises(CheckpointError, match="groups of"):
        load_checkpoint(path, trainer.model, other, schedule=schedule)
    assert (
        digest(trainer.model) == before and other.param_groups[0]["lr"] == 0.7 and schedule.base_lrs == [0.7]
    )


def test_weights_load_without_an_optimiser_and_random_state_if_not_wanted(saved):
    model, _ = made(seed=5)
    state = fastcnn.random.get_state()
    load_checkpoint(saved, model, restore_random=False)
    assert fastcnn.random.get_state() == state
    expected, optimizer = made()
    train(expected, optimizer, range(2))
    assert digest(model) == digest(expected)


def test_the_file_is_plain_safetensors(saved):
    tensors = safetensors.load_file(saved)
    assert tensors["model.conv1.weight"].shape == (8, 3, 3, 3)
    assert tensors["optimizer.velocity.0"].shape == (8, 3, 3, 3)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, -1000, -1])
def test_a_truncated_file_is_named_and_changes_nothing(saved, size):
    saved.write_bytes(saved.read_bytes()[:size])
    model, optimizer = made(seed=7)
    before = digest(model)
    with pytest.raises(CheckpointError, match=r"run\.safetensors: truncated or broken"):
        load_checkpoint(saved, model, optimizer)
    assert digest(model) == before


@pytest.mark.parametrize("at", [0, 4, 8, 20])
def test_a_corrupt_header_is_named(saved, at):
    data = bytearray(saved.read_bytes())
    data[at] ^= 0xFF
    saved.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=r"run\.safetensors: "):
        load_checkpoint(saved, made()[0])


def test_other_safetensors_files_are_no_checkpoints(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.save_file({"x": np.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of fastcnn"):
        load_checkpoint(path, made()[0])
    safetensors.save_file({"x": np.zeros(3)}, path, metadata={"fastcnn": json.dumps({"format": 2})})
    with pytest.raises(CheckpointError, match="format 2, this version reads 1"):
        load_checkpoint(path, made()[0])
    safetensors.save_file({"x": np.zeros(3)}, path, metadata={"fastcnn": json.dumps({"format": 1})})
    with pytest.raises(CheckpointError, match="'step' is missing"):
        load_checkpoint(path, made()[0])


def test_a_checkpoint_of_another_model_is_refused_and_changes_nothing(saved):
    model = fastcnn.nn.Sequential({"conv1": fastcnn.nn.Conv2d(3, 9, 3)})
    before = digest(model)
    with pytest.raises(
        CheckpointError, match=r"conv1\.weight has shape \(8, 3, 3, 3\), expected \(9, 3, 3, 3\)"
    ):
        load_checkpoint(saved, model)
    assert digest(model) == before


def test_a_checkpoint_without_optimiser_state_says_so(tmp_path):
    model, optimizer = made()
    save_checkpoint(tmp_path / "weights.safetensors", model)
    before = digest(model)
    with pytest.raises(CheckpointError, match="no optimiser state"):
        load_checkpoint(tmp_path / "weights.safetensors", model, optimizer)
    assert digest(model) == before


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(saved, made()[0])
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_missing_file_or_folder_is_a_file_not_found_error(tmp_path):
    model, _ = made()
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none", model)
    with pytest.raises(FileNotFoundError):
        save_checkpoint(tmp_path / "none" / "x", model)
