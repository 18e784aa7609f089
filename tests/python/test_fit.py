"""Trainer.fit: history, callbacks, and a resume that is exact."""

import csv
import json
import math
import os
import signal
import threading

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import optim, train
from fastcnn.data import Loader
from fastcnn.train import (
    EMA,
    SWA,
    Callback,
    Checkpoint,
    CheckpointError,
    CSVLog,
    EarlyStopping,
    GradientNorm,
    Interrupt,
    JSONLog,
    NonFiniteError,
    Progress,
    Trainer,
    UpdateRatio,
)

pytest.importorskip("safetensors")


def made(seed=1, lr=0.05, **settings):
    fastcnn.manual_seed(seed)
    model = TwoPaths(0.5)
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return Trainer(model, None, optimizer, optim.CosineAnnealingLR(optimizer, 20), **settings)


def loader(samples=40, **settings):
    x, y = batch(samples)
    return Loader(x, y, 8, shuffle=True, seed=3, **settings)


def digest(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


class Killed(Exception):  # noqa: N818
    """Stands for kill -9: nothing is tidied up by those whom it hits."""


class KillAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, training, result):  # noqa: ARG002
        if training.step == self.step:
            raise Killed


def everything(folder, **settings):
    return [
        GradientNorm(),
        UpdateRatio(),
        EMA(0.9),
        SWA(2),
        EarlyStopping("train_loss", patience=None),
        JSONLog(folder / "log.jsonl"),
        CSVLog(folder / "log.csv"),
        Checkpoint(folder, **settings),
    ]


def test_callbacks_are_called_in_order():
    calls = []

    class Note(Callback):
        def on_train_begin(self, training):
            calls.append(("begin", training.epoch))

        def on_epoch_begin(self, training):
            calls.append(("epoch", training.epoch, training.batch))

        def on_gradients(self, training):
            calls.append(("gradients", all(p.grad is not None for p in training.model.parameters())))

        def on_step_end(self, training, result):
            calls.append(("step", training.step, training.batch, result.samples))

        def on_epoch_trained(self, training):
            calls.append(("trained", training.epoch))

        def on_epoch_end(self, training, epoch):
            calls.append(("end", epoch.epoch, training.epoch, epoch.metrics["answer"]))

        def on_train_end(self, training):
            calls.append(("over", training.epoch))

        def close(self):
            calls.append(("close",))

        def metrics(self, training):  # noqa: ARG002
            return {"answer": 42.0}

    made().fit([batch(), batch(seed=1)], 1, validation_data=[batch(seed=2)], callbacks=[Note()])
    assert calls == [
        ("begin", 0), ("epoch", 0, 0),
        ("gradients", True), ("step", 1, 1, 8),
        ("gradients", True), ("step", 2, 2, 8),
        ("trained", 0), ("end", 1, 1, 42.0), ("over", 1), ("close",),
    ]  # fmt: skip


def test_history_has_validation_rates_and_metrics():
    trainer = made()
    history = trainer.fit(loader(), 2, validation_data=[batch(seed=2)], callbacks=[GradientNorm()])
    last = history[-1]
    assert (last.validation_loss, last.validation_accuracy) == trainer.evaluate([batch(seed=2)])[:2]
    assert history.column("lr")[0] == 0.05 > last.lr > trainer.optimizer.param_groups[0]["lr"]
    assert 0 < last.metrics["gradient_norm"] <= last.metrics["gradient_norm_max"]
    assert last.to_dict()["gradient_norm"] == last.metrics["gradient_norm"] == last.value("gradient_norm")
    assert "metrics" not in last.to_dict() and last.value("other") is None


@pytest.mark.parametrize("every", [None, 1, 3])
@pytest.mark.parametrize("killed_at", [1, 5, 7, 13])
def test_a_killed_training_resumes_to_the_same_bytes(tmp_path, every, killed_at):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = made()
    expected.fit(loader(), 3, [batch(seed=2)], everything(whole, every=every))
    with pytest.raises(Killed):
        made().fit(loader(), 3, [batch(seed=2)], [KillAt(killed_at), *everything(parts, every=every)])
    saved = (parts / "last.safetensors").exists()  # else it begins again
    resumed = made(seed=99, lr=7.0) if saved else made()
    callbacks = everything(parts, every=every)
    history = resumed.fit(loader(), 3, [batch(seed=2)], callbacks, resume=parts if saved else None)
    assert digest(resumed.model) == digest(expected.model)
    assert len(history) == 3 and resumed.steps == 15
    within = (
        saved and every is not None and killed_at % 5 != 1
    )  # an epoch: there is no telling how long it took
    assert math.isnan(history[(killed_at - 1) // 5].seconds) == within
    for name in ("last.safetensors", "best.safetensors"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    for log in ("log.jsonl", "log.csv"):
        assert len((parts / log).read_text().splitlines()) == len((whole / log).read_text().splitlines())
    for a, b in zip(lines(parts), lines(whole), strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_logs_have_a_line_per_epoch(tmp_path):
    made().fit(loader(), 2, callbacks=[JSONLog(tmp_path / "a" / "log.jsonl"), CSVLog(tmp_path / "log.csv")])
    records = lines(tmp_path / "a")
    assert [record["epoch"] for record in records] == [1, 2]
    keys = "epoch train_loss train_accuracy validation_loss validation_accuracy lr seconds samples"
    assert list(records[0]) == keys.split() and records[0]["validation_loss"] is None
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train_loss"]) for row in rows] == [record["train_loss"] for record in records]
    assert rows[0]["validation_loss"] == ""


def test_a_log_drops_what_a_killed_run_wrote_too_far(tmp_path):
    callbacks = [JSONLog(tmp_path / "log.jsonl"), Checkpoint(tmp_path)]
    made().fit(loader(), 2, callbacks=callbacks)
    before = (tmp_path / "log.jsonl").read_text()
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"epoch": 3, "train_loss": 99}\n{"epoch": 4, "tra')
    made().fit(loader(), 3, callbacks=callbacks, resume=tmp_path)
    after = (tmp_path / "log.jsonl").read_text()
    assert after.startswith(before) and [r["epoch"] for r in lines(tmp_path)] == [1, 2, 3]
    assert lines(tmp_path)[2]["train_loss"] < 99


def test_a_lost_log_is_written_again(tmp_path):
    callbacks = [JSONLog(tmp_path / "log.jsonl"), Checkpoint(tmp_path)]
    made().fit(loader(), 2, callbacks=callbacks)
    before = lines(tmp_path)
    (tmp_path / "log.jsonl").unlink()
    made().fit(loader(), 2, callbacks=callbacks, resume=tmp_path)
    assert lines(tmp_path) == [{**record, "seconds": None} for record in before]


def test_best_is_that_of_the_validation(tmp_path):
    trainer = made(lr=0.3)
    weights = {}

    class Keep(Callback):
        def on_epoch_end(self, training, epoch):
            weights[epoch.epoch] = digest(training.model)

    history = trainer.fit(loader(), 5, [batch(seed=2)], [Keep(), Checkpoint(tmp_path)])
    losses = history.column("validation_loss")
    best = 1 + losses.index(min(losses))
    model = TwoPaths(0.5)
    saved = train.load_checkpoint(tmp_path / "best.safetensors", model)
    assert saved.epoch == best and digest(model) == weights[best]


def test_there_is_a_best_even_where_no_validation_is_finite(tmp_path):
    x, y = batch()
    trainer = made()
    history = trainer.fit(loader(), 2, [(x * np.nan, y)], [EarlyStopping(patience=5), Checkpoint(tmp_path)])
    assert math.isnan(history[-1].validation_loss)
    assert train.load_checkpoint(tmp_path / "best.safetensors", TwoPaths(0.5)).epoch == 1


def test_early_stopping_gives_the_best_back():
    trainer = made(lr=0.3)
    stopping = EarlyStopping(patience=1)
    history = trainer.fit(loader(), 50, [batch(seed=2)], [stopping])
    losses = history.column("validation_loss")
    assert (
        len(history) < 50
        and stopping.best == min(losses)
        and stopping.best_epoch == 1 + losses.index(min(losses))
    )
    assert len(history) == stopping.best_epoch + 2
    assert trainer.evaluate([batch(seed=2)]).loss == stopping.best


def test_early_stopping_holds_after_a_resume(tmp_path):
    def callbacks():
        return [EarlyStopping(patience=1), Checkpoint(tmp_path)]

    trainer = made(lr=0.3)
    history = trainer.fit(loader(), 50, [batch(seed=2)], callbacks())
    resumed = made(seed=9)
    assert len(resumed.fit(loader(), 50, [batch(seed=2)], callbacks(), resume=tmp_path)) == len(history)
    assert digest(resumed.model) == digest(trainer.model)


def test_accuracies_are_to_grow():
    trainer = made()
    stopping = EarlyStopping("train_accuracy", patience=None)
    history = trainer.fit(loader(), 4, callbacks=[stopping])
    assert stopping.best == max(history.column("train_accuracy"))


def test_what_is_not_recorded_cannot_be_monitored(tmp_path):
    with pytest.raises(ValueError, match="EarlyStopping: no validation_loss in epoch 1"):
        made().fit(loader(), 2, callbacks=[EarlyStopping()])
    with pytest.raises(ValueError, match="Checkpoint: no f1 in epoch 1"):
        made().fit(loader(), 2, callbacks=[Checkpoint(tmp_path, monitor="f1")])
    with pytest.raises(ValueError, match="patience is -1"):
        EarlyStopping(patience=-1)
    with pytest.raises(ValueError, match="every is 0"):
        Checkpoint(tmp_path, every=0)


def test_a_moving_average_is_its_formula():
    seen = []

    class Keep(Callback):
        def on_step_end(self, training, result):  # noqa: ARG002
            seen.append(training.model.state_dict())

    trainer, average = made(), EMA(0.8)
    trainer.fit([batch(), batch(seed=1)], 2, [batch(seed=2)], [Keep(), average])
    expected = {name: array.astype(np.float64) for name, array in seen[0].items()}
    for state in seen[1:]:
        expected = {name: 0.8 * a + 0.2 * state[name] for name, a in expected.items()}
    for name, array in trainer.model.state_dict().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-7)
    assert average.count == 4


def test_stochastic_weight_averaging_is_the_mean_of_epochs():
    seen = []

    class Keep(Callback):
        def on_epoch_trained(self, training):
            seen.append(training.model.state_dict())

    trainer = made()
    history = trainer.fit(loader(), 4, [batch(seed=2)], [Keep(), SWA(start=3)])
    for name, array in trainer.model.state_dict().items():
        np.testing.assert_allclose(array, (seen[2][name] + seen[3][name]) / 2, rtol=1e-5, atol=1e-7)
    assert trainer.evaluate([batch(seed=2)]).loss == history[-1].validation_loss


def test_averages_check_their_settings():
    with pytest.raises(ValueError, match="decay is 1"):
        EMA(1.0)
    with pytest.raises(ValueError, match="start is 0"):
        SWA(0)


@pytest.mark.parametrize("known_length", [True, False])
def test_update_ratios_compare_an_update_with_the_weights(known_length, capsys):
    trainer = made()
    before = trainer.model.state_dict()
    batches = [batch()] if known_length else iter([batch()])
    history = trainer.fit(batches, 1, callbacks=[UpdateRatio(show=True)])
    after = trainer.model.state_dict()["conv1.weight"]
    weight, update = np.abs(after).mean(), np.abs(after - before["conv1.weight"]).mean()
    assert history[0].metrics["update_ratio/conv1.weight"] == pytest.approx(update / weight, rel=1e-4)
    line = next(line for line in capsys.readouterr().err.splitlines() if "conv1.weight" in line)
    assert line.split() == ["conv1.weight", f"{weight:.3e}", f"[{update:.3e}]"]


def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path):
    expected = made()
    expected.fit(loader(), 4, callbacks=[Checkpoint(tmp_path / "whole")])
    made().fit(loader(), 3, callbacks=[Checkpoint(tmp_path)])
    last = tmp_path / "last.safetensors"
    data = bytearray(last.read_bytes())
    data[-100] ^= 1  # one bit of one weight
    last.write_bytes(bytes(data))
    resumed = made(seed=9)
    with pytest.warns(UserWarning, match=r"last\.safetensors: damaged"):
        resumed.fit(loader(), 4, callbacks=[Checkpoint(tmp_path)], resume=tmp_path)
    assert digest(resumed.model) == digest(expected.model)
    last.write_bytes(b"")
    (tmp_path / "previous.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"last\.safetensors: truncated"):
        made().fit(loader(), 4, resume=tmp_path)
    last.unlink()
    with pytest.raises(CheckpointError, match="no checkpoint to resume from"):
        made().fit(loader(), 4, resume=tmp_path)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    made().fit(loader(), 2, callbacks=[Checkpoint(tmp_path)])
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        made().fit(loader(), 3, callbacks=[Checkpoint(tmp_path)], resume=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    class Spoil(Callback):
        def on_step_end(self, training, result):  # noqa: ARG002
            if training.step == 5:
                training.model.fc1.bias.value[0] = np.nan

    made().fit(loader(), 1, callbacks=[Checkpoint(tmp_path)])
    kept = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(NonFiniteError, match=r"step 5: fc1\.bias is not finite after it"):
        made().fit(loader(), 1, callbacks=[Spoil(), Checkpoint(tmp_path)])
    assert (tmp_path / "last.safetensors").read_bytes() == kept


def test_an_interrupt_ends_after_the_step_and_is_saved(tmp_path):
    class Press(Callback):
        def on_step_end(self, training, result):  # noqa: ARG002
            if training.step == 3:
                signal.raise_signal(signal.SIGINT)

    expected = made()
    expected.fit(loader(), 2)
    handler = signal.getsignal(signal.SIGINT)
    interrupt = Interrupt()
    history = made().fit(loader(), 2, callbacks=[Press(), Checkpoint(tmp_path), interrupt])
    assert interrupt.stopped and len(history) == 0 and signal.getsignal(signal.SIGINT) is handler
    resumed = made(seed=9)
    resumed.fit(loader(), 2, callbacks=[Checkpoint(tmp_path)], resume=tmp_path)
    assert digest(resumed.model) == digest(expected.model)


def test_an_interrupt_needs_the_main_thread():
    thread = threading.Thread(target=lambda: made().fit(loader(), 1, callbacks=[Interrupt()]))
    thread.start()
    thread.join()


def test_progress_is_a_line_per_epoch_where_there_is_no_terminal(capsys):
    made().fit(loader(), 2, [batch(seed=2)], [Progress()])
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == "" and first.startswith("epoch 1/2: loss ") and second.startswith("epoch 2/2: ")
    assert "validation " in first and "images/s" in first


def test_progress_is_a_bar_on_a_terminal(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    made().fit(loader(), 2, callbacks=[Progress()])
    err = capsys.readouterr().err
    assert "epoch 2/2" in err and "images" in err and "loss=" in err


def test_tensorboard_gets_the_numbers(tmp_path):
    pytest.importorskip("tensorboardX")
    history = made().fit(loader(), 2, callbacks=[train.TensorBoard(tmp_path)])
    (events,) = tmp_path.iterdir()
    data = events.read_bytes()
    assert b"train_loss" in data and np.float32(history[1].train_loss).tobytes() in data


def test_a_resume_from_other_files_is_refused(tmp_path):
    trainer = made()
    train.save_checkpoint(
        tmp_path / "x.safetensors", trainer.model, trainer.optimizer, schedule=trainer.schedule
    )
    with pytest.raises(CheckpointError, match="not a checkpoint of a training"):
        made().fit(loader(), 1, resume=tmp_path / "x.safetensors")


def test_values_that_are_not_finite_are_none_in_records():
    epoch = train.Epoch(1, 0.5, 1.0, math.nan, None, math.inf, 1.0, 4, {"m": math.nan})
    record = epoch.to_dict()
    assert record["validation_loss"] is record["lr"] is record["m"] is None and record["train_loss"] == 0.5
