import numpy as np
import pytest

import fastcnn
from fastcnn import nn


@pytest.fixture(autouse=True)
def every_algorithm():
    yield
    fastcnn.set_conv_algorithms("auto")


def algorithms_of(model, shape):
    model(np.zeros(shape, np.float32))
    (compiled,) = model._plan_cache().plans().values()
    return [choice["name"] for step in compiled.plan.steps() for choice in step["algorithms"]]


def test_a_model_that_was_called_before_obeys_a_later_choice():
    model = nn.Sequential(nn.Conv2d(8, 8, 1)).eval()
    (chosen,) = algorithms_of(model, (1, 8, 4, 4))
    fastcnn.set_conv_algorithms(f"-{chosen}")
    (then,) = algorithms_of(model, (1, 8, 4, 4))
    assert then != chosen


def test_the_choice_is_listed():
    fastcnn.set_conv_algorithms("im2col,pointwise")
    assert fastcnn.conv_algorithms() == ["pointwise", "im2col"]


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match=r"unknown convolution algorithm .magic., expected .*im2col"):
        fastcnn.set_conv_algorithms("magic")
