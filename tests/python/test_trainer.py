"""Trainer: the same numbers as the explicit loop, whatever the number of threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import models, nn, optim
from fastcnn.train import Trainer


def made(p=0.5, **settings):
    fastcnn.manual_seed(1)
    model = TwoPaths(p)
    options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3, **settings}
    return model, optim.SGD(model.parameters(), **options)


def digest(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_fused_step_is_the_explicit_loop_to_the_bit(nesterov):
    model, optimizer = made(nesterov=nesterov)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for seed in range(4):
        x, y = batch(seed=seed)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    other, optimizer = made(nesterov=nesterov)
    trainer = Trainer(other, criterion, optimizer)
    assert [trainer.step(*batch(seed=seed)).loss for seed in range(4)] == losses
    assert digest(model) == digest(other)


def test_a_step_leaves_no_gradients_and_drops_those_that_were_held():
    model, optimizer = made()
    x, y = batch()
    nn.CrossEntropyLoss()(model(x), y).backward()
    assert model.conv1.weight.grad is not None
    Trainer(model, optimizer=optimizer).step(x, y)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_step_updates_what_the_optimizer_has_alone():
    model, _ = made()
    optimizer = optim.SGD(
        [{"params": model.conv1.parameters()}, {"params": [model.fc2.weight], "lr": 0.0}], lr=0.1
    )
    before = model.state_dict()
    Trainer(model, optimizer=optimizer).step(*batch())
    changed = {name for name, array in model.state_dict().items() if not np.array_equal(array, before[name])}
    assert changed == {"conv1.weight", "conv1.bias"}


def test_a_step_reports_loss_and_hits_before_the_update():
    model, optimizer = made(p=0.0)
    x, y = batch()
    output = model.eval()(x).numpy()
    model.train()
    result = Trainer(model, None, optimizer).step(x, y)
    assert result.correct == np.sum(output.argmax(1) == y)
    assert result.samples == 8
    np.testing.assert_allclose(result.loss, float(nn.CrossEntropyLoss()(output, y)), rtol=1e-5)


def test_squared_error_trains_too():
    fastcnn.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.2, momentum=0.9))
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f4")
    y = np.array([[0], [1], [1], [0]], "f4")
    for _ in range(400):
        result = trainer.step(x, y)
    assert result.loss < 1e-3 and result.correct == 0
    np.testing.assert_allclose(trainer.predict(x), y, atol=0.1)


def test_fit_learns_and_tells():
    model, optimizer = made(p=0.1)
    trainer = Trainer(model, optimizer=optimizer)
    batches = [batch(seed=seed) for seed in range(4)]
    steps, epochs = [], []
    history = trainer.fit(batches, 30, on_step=steps.append, on_epoch=epochs.append)
    assert len(steps) == 120 and history == epochs and [e.number for e in history] == list(range(30))
    assert history[-1].loss < history[0].loss / 2
    result = trainer.evaluate(batches)
    assert result.accuracy > 0.9 and result.samples == 32
    assert model.training


def test_evaluate_is_a_mean_over_samples():
    model, _ = made()
    trainer = Trainer(model)
    (x, y), (x1, y1) = batch(6), batch(3, seed=1)
    parts = [trainer.evaluate([(x, y)]), trainer.evaluate([(x1, y1)])]
    both = trainer.evaluate([(x, y), (x1, y1)])
    np.testing.assert_allclose(both.loss, (6 * parts[0].loss + 3 * parts[1].loss) / 9)
    np.testing.assert_allclose(both.accuracy, (6 * parts[0].accuracy + 3 * parts[1].accuracy) / 9)


def test_evaluate_and_predict_restore_modes():
    model, _ = made()
    model.drop.training = False
    trainer = Trainer(model)
    trainer.predict(batch()[0])
    assert model.training and model.conv1.training and not model.drop.training
    np.testing.assert_array_equal(trainer.predict(batch()[0]), model.eval()(batch()[0]))


def test_misuse_is_named():
    model, optimizer = made()
    x, y = batch()
    with pytest.raises(RuntimeError, match="no optimizer"):
        Trainer(model).step(x, y)
    with pytest.raises(RuntimeError, match=r"inference mode; call model\.train"):
        Trainer(model.eval(), optimizer=optimizer).step(x, y)
    model.train().requires_grad_(False)
    with pytest.raises(RuntimeError, match="no parameter of the model requires a gradient"):
        Trainer(model, optimizer=optimizer).step(x, y)
    with pytest.raises(ValueError, match="no samples"):
        Trainer(model).evaluate([])


def test_a_failed_step_changes_nothing():
    model, optimizer = made()
    trainer = Trainer(model, optimizer=optimizer)
    x, y = batch()
    trainer.step(x, y)
    before = digest(model)
    with pytest.raises(ValueError, match="target 99 at index 0"):
        trainer.step(x, np.full(8, 99))
    assert digest(model) == before
    trainer.step(x, y)


SCRIPT = """
import hashlib, json, sys
import numpy as np
import fastcnn
from fastcnn import nn, optim
from networks import TwoPaths, batch
fastcnn.manual_seed(1)
model = TwoPaths(0.5)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
trainer = fastcnn.Trainer(model, optimizer=optimizer)
losses = [trainer.step(*batch(64, seed=seed)).loss for seed in range(3)]
state = b"".join(array.tobytes() for array in model.state_dict().values())
output = trainer.predict(batch(64)[0]).tobytes()
print(json.dumps([losses, hashlib.sha256(state + output).hexdigest(), fastcnn.num_threads()]))
"""


def run_with(**environment):
    paths = [
        str(Path(__file__).parent),
        str(Path(fastcnn.__file__).parents[1]),
        os.environ.get("PYTHONPATH", ""),
    ]
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def test_bytes_are_equal_at_1_2_3_and_8_threads():
    results = {threads: run_with(FASTCNN_NUM_THREADS=str(threads)) for threads in (1, 2, 3, 8)}
    assert [result[2] for result in results.values()] == [1, 2, 3, 8]
    assert len({json.dumps(result[:2]) for result in results.values()}) == 1


def test_lenet_trains_to_the_same_bytes_at_any_number_of_threads():
    # Its batches are large enough that the pixels of a weight gradient are summed in parts.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 1, 28, 28), dtype=np.float32)
    y = rng.integers(0, 10, 64)
    threads = fastcnn.num_threads()
    digests = []
    try:
        for count in (1, 2, 3, 8):
            fastcnn.set_num_threads(count)
            fastcnn.manual_seed(0)
            model = models.lenet()
            trainer = Trainer(model, optimizer=optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
            trainer.step(x, y)
            trainer.step(x, y)
            digests.append(digest(model))
    finally:
        fastcnn.set_num_threads(threads)
    assert all(each == digests[0] for each in digests)


def test_the_number_of_threads_may_change_between_steps():
    threads = fastcnn.num_threads()
    try:
        digests = []
        for counts in ([1, 1, 1], [3, 1, 2]):
            model, optimizer = made()
            trainer = Trainer(model, optimizer=optimizer)
            for seed, count in enumerate(counts):
                fastcnn.set_num_threads(count)
                trainer.step(*batch(64, seed=seed))
            digests.append(digest(model))
        assert digests[0] == digests[1]
    finally:
        fastcnn.set_num_threads(threads)
    with pytest.raises(ValueError, match="0"):
        fastcnn.set_num_threads(0)


def test_a_schedule_goes_on_after_each_step():
    model, optimizer = made(p=0.0)
    schedule = optim.StepLR(optimizer, 2, gamma=0.5)
    trainer = Trainer(model, None, optimizer, schedule)
    rates = []
    for seed in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        trainer.step(*batch(seed=seed))
    assert rates == [0.05, 0.05, 0.025, 0.025]
    other, optimizer = made(p=0.0)
    for seed, lr in enumerate(rates):
        optimizer.param_groups[0]["lr"] = lr
        Trainer(other, None, optimizer).step(*batch(seed=seed))
    assert digest(model) == digest(other)


def test_a_schedule_goes_on_after_each_epoch():
    model, optimizer = made(p=0.0)
    schedule = optim.MultiStepLR(optimizer, [1, 2])
    trainer = Trainer(model, None, optimizer, schedule, schedule_every="epoch")
    rates = []
    trainer.fit([batch(), batch(seed=1)], 3, on_step=lambda _: rates.append(optimizer.param_groups[0]["lr"]))
    assert rates == pytest.approx([0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005])


def test_a_plateau_is_told_the_loss_of_each_epoch():
    model, optimizer = made(p=0.0, lr=0.0)
    schedule = optim.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    optimizer.param_groups[0]["lr"] = 1e-9
    schedule.eps = 0.0
    trainer = Trainer(model, None, optimizer, schedule, schedule_every="epoch")
    history = trainer.fit([batch()], 3)
    assert schedule.best == pytest.approx(history[0].loss, rel=1e-4)
    assert optimizer.param_groups[0]["lr"] == 5e-10


def test_schedules_are_checked():
    model, optimizer = made()
    with pytest.raises(ValueError, match='expected "step" or "epoch"'):
        Trainer(model, None, optimizer, optim.StepLR(optimizer, 3), schedule_every="batch")
    with pytest.raises(ValueError, match="goes by epochs"):
        Trainer(model, None, optimizer, optim.ReduceLROnPlateau(optimizer))


def test_progress_shows_a_bar_only_when_asked(capfd):
    pytest.importorskip("tqdm")
    model, optimizer = made()
    trainer = Trainer(model, optimizer=optimizer)
    trainer.fit([batch()])
    assert capfd.readouterr() == ("", "")
    trainer.fit([batch()], progress=True)
    assert "epoch 1" in capfd.readouterr().err
