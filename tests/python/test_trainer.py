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
    history = trainer.fit(batches, 30)
    assert trainer.steps == 120 and [e.epoch for e in history] == list(range(1, 31))
    assert history[-1].train_loss < history[0].train_loss / 2
    assert history.column("train_loss")[-1] == history[-1].train_loss and history[:2].column("samples") == [
        32,
        32,
    ]
    assert history[-1].validation_loss is None
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


def test_labels_in_a_list_are_evaluated_as_those_in_an_array():
    model, _ = made()
    x, _ = batch()
    y = Trainer(model).predict(x).argmax(axis=1)
    assert Trainer(model).evaluate([(x, y.tolist())]) == Trainer(model).evaluate([(x, y)])
    assert Trainer(model).evaluate([(x, y.tolist())]).accuracy == 1.0


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
    history = trainer.fit([batch(), batch(seed=1)], 3)
    assert history.column("lr") == pytest.approx([0.05, 0.005, 0.0005])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0005)


def test_a_plateau_is_told_the_loss_of_each_epoch():
    model, optimizer = made(p=0.0, lr=0.0)
    schedule = optim.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    optimizer.param_groups[0]["lr"] = 1e-9
    schedule.eps = 0.0
    trainer = Trainer(model, None, optimizer, schedule, schedule_every="epoch")
    history = trainer.fit([batch()], 3)
    assert schedule.best == pytest.approx(history[0].train_loss, rel=1e-4)
    assert optimizer.param_groups[0]["lr"] == 5e-10


def test_schedules_are_checked():
    model, optimizer = made()
    with pytest.raises(ValueError, match='expected "step" or "epoch"'):
        Trainer(model, None, optimizer, optim.StepLR(optimizer, 3), schedule_every="batch")
    with pytest.raises(ValueError, match="goes by epochs"):
        Trainer(model, None, optimizer, optim.ReduceLROnPlateau(optimizer))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_that_is_watched_has_the_same_bits(momentum):
    norms = []
    (plain, optimizer), (watched, other) = made(momentum=momentum), made(momentum=momentum)
    fused, loop = Trainer(plain, optimizer=optimizer), Trainer(watched, optimizer=other)
    fastcnn.manual_seed(1)
    results = [fused.step(*batch(seed=seed)) for seed in range(3)]
    fastcnn.manual_seed(1)
    watchers = [lambda: norms.append(optim.grad_norm(watched.parameters()))]
    assert [loop.step(*batch(seed=seed), watchers) for seed in range(3)] == results
    assert digest(plain) == digest(watched) and len(norms) == 3 and min(norms) > 0
    assert all(parameter.grad is None for parameter in watched.parameters())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_of_parts_add_up_to_that_of_the_batch(reduction):
    models = []
    x, y = batch(10)
    for accumulate in (1, 3, 10, 99):
        model, optimizer = made(p=0.0)
        model.double()
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        trainer = Trainer(model, nn.CrossEntropyLoss(reduction), optimizer, accumulate=accumulate)
        result = trainer.step(x, y)
        models.append((model.state_dict(), result))
    for state, result in models[1:]:
        assert result.samples == 10 and result.correct == models[0][1].correct
        assert result.loss == pytest.approx(models[0][1].loss, rel=1e-12)
        for name, array in models[0][0].items():
            np.testing.assert_allclose(state[name], array, rtol=1e-10, atol=1e-12)


class TwoInputs(nn.Module):
    """Two inputs, two outputs."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 2)
        self.second = nn.Linear(4, 5)

    def forward(self, a, b):
        return self.first(a), self.second(b)


def test_several_inputs_and_targets_go_in_parts_together():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 3)), rng.standard_normal((6, 4))
    y = rng.integers(0, 2, 6), rng.standard_normal((6, 5))
    states = []
    for accumulate in (1, 3):
        fastcnn.manual_seed(0)
        model = TwoInputs().double()
        criterion = nn.TotalLoss([nn.CrossEntropyLoss(), nn.MSELoss()])
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        result = Trainer(model, criterion, optimizer, accumulate=accumulate).step(x, y)
        assert result.samples == 6
        states.append(model.state_dict())
    for name, array in states[0].items():
        np.testing.assert_allclose(states[1][name], array, rtol=1e-12)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_of_several_inputs_the_one_that_is_not_finite_is_named(accumulate):
    model = TwoInputs()
    criterion = nn.TotalLoss([nn.CrossEntropyLoss(), nn.MSELoss()])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = (np.ones((4, 3)), np.full((4, 4), np.nan)), (np.zeros(4, np.int64), np.ones((4, 5)))
    with pytest.raises(fastcnn.train.NonFiniteError, match="is input 1"):
        Trainer(model, criterion, optimizer, accumulate=accumulate).step(x, y)


def test_parts_of_mixed_sums_and_means_are_refused():
    model, optimizer = made()
    criterion = nn.TotalLoss([nn.CrossEntropyLoss(), (nn.CrossEntropyLoss("sum"), 0, 0)])
    trainer = Trainer(model, criterion, optimizer, accumulate=2)
    with pytest.raises(ValueError, match="all means or all sums"):
        trainer.step(*batch())


def test_gradients_are_clipped_before_the_update():
    x, y = batch()
    for settings in ({"clip_norm": 0.01}, {"clip_value": 1e-3}):
        model, optimizer = made(p=0.0, lr=1.0, momentum=0.0, weight_decay=0.0)
        before = model.state_dict()
        Trainer(model, optimizer=optimizer, **settings).step(x, y)
        updates = [before[name] - array for name, array in model.state_dict().items()]
        norm = np.sqrt(sum(np.square(u).sum() for u in updates))
        largest = max(np.abs(u).max() for u in updates)
        if "clip_norm" in settings:
            assert norm == pytest.approx(0.01, rel=1e-3)
        else:
            assert largest == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}])
def test_a_loss_that_is_not_finite_is_an_error_and_changes_nothing(settings):
    model, optimizer = made()
    trainer = Trainer(model, optimizer=optimizer, **settings)
    trainer.step(*batch())
    model.fc1.weight.value[...] = np.nan
    before = digest(model)
    x, y = batch()
    found = r"step 2: the loss is nan; .* is the output of fc1, whose weight is not"
    with pytest.raises(fastcnn.train.NonFiniteError, match=found) as e:
        trainer.step(x, y)
    assert e.value.step == 2 and e.value.where.startswith("the output of fc1")
    assert digest(model) == before
    x[0, 0, 0, 0] = np.nan
    with pytest.raises(fastcnn.train.NonFiniteError, match="is the input"):
        made_anew, optimizer = made()
        Trainer(made_anew, optimizer=optimizer, **settings).step(x, y)


def test_the_first_layer_that_overflows_is_named():
    fastcnn.manual_seed(0)
    model = nn.Sequential({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "c": nn.Linear(4, 2)})
    model.b.weight.value[...] = 1e30
    trainer = Trainer(model, optimizer=optim.SGD(model.parameters()))
    with pytest.raises(fastcnn.train.NonFiniteError, match=r"is the output of b$"):
        trainer.step(np.full((3, 4), 1e30, np.float32), np.zeros(3, np.int64))


def test_steps_that_are_not_finite_can_be_skipped():
    fastcnn.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(324, 4))
    trainer = Trainer(model, optimizer=optim.SGD(model.parameters(), momentum=0.9), on_nan="skip")
    x, y = batch()
    trainer.step(x, y)
    before = digest(model)
    bad = x.copy()
    bad[0, 0, 0, 0] = np.nan
    result = trainer.step(bad, y)
    assert np.isnan(result.loss) and result.samples == 0
    assert digest(model) == before
    history = trainer.fit([(x, y), (bad, y)], 2)
    assert history.column("samples") == [8, 8] and np.isfinite(history[-1].train_loss)
    with pytest.raises(fastcnn.train.NonFiniteError, match="all 1 steps of epoch 1 were skipped"):
        trainer.fit([(bad, y)])


def test_a_gradient_that_is_not_finite_is_skipped():
    model = nn.Sequential({"fc": nn.Linear(1, 1, bias=False)})
    model.fc.weight.value[...] = 1e-20
    criterion = nn.MSELoss("sum")
    x, y = np.full((1, 1), 3e38, np.float32), np.full((1, 1), -1e18, np.float32)
    trainer = Trainer(model, criterion, optim.SGD(model.parameters(), lr=1e-30), on_nan="skip")
    before = digest(model)
    result = trainer.step(x, y)
    assert np.isnan(result.loss) and digest(model) == before


def test_settings_of_steps_are_checked():
    model, _ = made()
    for settings, message in (
        ({"accumulate": 0}, "accumulate is 0"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0, expected above 0"),
        ({"clip_value": -1.0}, "clip_value is -1.0"),
        ({"on_nan": "stop"}, 'expected "raise" or "skip"'),
    ):
        with pytest.raises(ValueError, match=message):
            Trainer(model, **settings)
