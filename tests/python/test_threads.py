"""Several Python threads at once: the core runs without the GIL, each call on memory of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from networks import TwoPaths, batch

from fastcnn import nn


def test_one_model_serves_many_threads():
    model = TwoPaths().eval()
    inputs = [batch(seed=seed)[0] for seed in range(16)]
    expected = [model(x).numpy() for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for result, right in zip(pool.map(model, inputs), expected, strict=True):
                np.testing.assert_array_equal(result, right)


def test_models_of_their_own_train_side_by_side():
    def gradients(seed):
        model = TwoPaths()
        for parameter in model.parameters():
            parameter.value[...] = 0.01 * seed
        x, y = batch(seed=seed)
        nn.CrossEntropyLoss()(model(x), y).backward()
        return model.fc1.weight.grad.copy()

    expected = [gradients(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for result, right in zip(pool.map(gradients, range(8)), expected, strict=True):
            np.testing.assert_array_equal(result, right)


def test_the_gil_is_released_while_the_core_runs():
    model = nn.Conv2d(64, 64, 5, padding=2).eval()
    x = np.zeros((8, 64, 64, 64), "f4")
    model(x)
    ticks, done = 0, threading.Event()

    def work():
        model(x)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        ticks += 1
    thread.join()
    assert ticks > 10
