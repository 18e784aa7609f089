"""A forked child computes: the pool's threads don't survive a fork, and are made anew."""

import os
import sys
import traceback

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import optim


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_trains_as_its_parent_does():
    fastcnn.manual_seed(0)
    model = TwoPaths()
    trainer = fastcnn.Trainer(model, optimizer=optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    x, y = batch(64)
    trainer.step(x, y)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            losses = [trainer.step(x, y).loss for _ in range(3)]
            os.write(write, np.array(losses).tobytes())
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(status)
    os.close(write)
    losses = [trainer.step(x, y).loss for _ in range(3)]
    with os.fdopen(read, "rb") as pipe:
        theirs = np.frombuffer(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(theirs, losses)
