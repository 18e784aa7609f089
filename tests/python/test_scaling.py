"""fastcnn.inspect.scaling: bounds on the speed-up by many cores."""

import numpy as np
import pytest

import fastcnn
from fastcnn import models
from fastcnn.inspect import scaling


def test_bound_follows_from_tasks_and_serial_share():
    # 10 s in 4 tasks, 2 s in 100, 1 s not worth sharing and 1 s of anything else
    step = scaling._bound("step", 14.0, [(4, True, 10.0), (100, True, 2.0), (9, False, 1.0)], (1, 3, 8, 1000))
    assert step.tasks == 4
    assert step.serial == pytest.approx(2 / 14)
    times = [14, 2 + 10 * 2 / 4 + 2 * 34 / 100, 2 + 10 / 4 + 2 * 13 / 100, 2 + 10 / 4 + 2 / 100]
    assert step.speedups == pytest.approx([14 / time for time in times])


@pytest.mark.parametrize("train", [False, True])
def test_steps_of_a_model(train):
    x = np.ones((32, 1, 28, 28), np.float32)
    y = np.zeros(32, np.int64) if train else None
    threads = fastcnn.num_threads()
    result = scaling.scaling(models.lenet(), x, y, (2, 1000))
    assert fastcnn.num_threads() == threads
    assert {"conv1", "fc2"} <= {step.name for step in result.steps}
    assert ("conv2 backward" in {step.name for step in result.steps}) == train
    conv2 = next(step for step in result.steps if step.name == "conv2")
    assert conv2.tasks > 1
    for step in (*result.steps, result.total):
        assert 0 <= step.serial <= 1
        assert 1 <= step.speedups[0] <= 2.001 and step.speedups[0] <= step.speedups[1] + 1e-9
    assert "1000 cores" in str(result).splitlines()[0]
