"""The learning-rate range test."""

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import optim
from fastcnn.train import Trainer, lr_range_test


def made(**settings):
    fastcnn.manual_seed(1)
    model = TwoPaths(0.5)
    optimizer = optim.SGD(
        [{"params": model.conv1.parameters()}, {"params": model.fc2.parameters(), "lr": 0.1}],
        lr=0.01,
        momentum=0.9,
    )
    return Trainer(model, None, optimizer, optim.StepLR(optimizer, 1), **settings)


def test_it_finds_a_rate_and_leaves_no_trace():
    trainer = made()
    trainer.step(*batch())
    before = {name: array.tobytes() for name, array in trainer.model.state_dict().items()}
    velocity = trainer.optimizer.state_dict()["velocity"][0].tobytes()
    rates, state = trainer.schedule.get_last_lr(), fastcnn.random.get_state()
    found = lr_range_test(trainer, [batch(seed=seed) for seed in range(3)], 1e-4, 1e3, steps=60)
    assert {name: array.tobytes() for name, array in trainer.model.state_dict().items()} == before
    assert trainer.optimizer.state_dict()["velocity"][0].tobytes() == velocity
    assert trainer.schedule.get_last_lr() == rates and fastcnn.random.get_state() == state
    assert trainer.steps == 1 and trainer.schedule.count == 1
    assert found.lrs[0] == pytest.approx(1e-4) and np.all(np.diff(np.log(found.lrs)) > 0)
    assert found.lrs[0] <= found.suggestion <= found.lrs[-1] and len(found.lrs) == len(found.losses)
    assert f"steepest at lr {found.suggestion:.2e}" in str(found)


def test_it_ends_where_the_loss_grows():
    found = lr_range_test(made(), [batch()], 1e-3, 1e30, steps=50)
    assert len(found.lrs) < 50 and np.isfinite(found.losses).all()


def test_wrong_settings_are_refused():
    for settings in ({"start": 0.0}, {"start": 2.0, "end": 1.0}, {"steps": 2}, {"smoothing": 1.0}):
        with pytest.raises(ValueError, match="lr_range_test: start="):
            lr_range_test(made(), [batch()], **settings)
    with pytest.raises(ValueError, match="no batches"):
        lr_range_test(made(), [])
