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
    (plan,) = model._plan_cache().plans().values()
    return [node["algorithm"] for node in plan.plan.nodes()]


def test_a_model_that_was_called_before_obeys_a_later_choice():
    model = nn.Sequential(nn.Conv2d(8, 8, 1)).eval()
    assert algorithms_of(model, (1, 8, 4, 4))[0].startswith("pointwise")
    fastcnn.set_conv_algorithms("-pointwise")
    assert not algorithms_of(model, (1, 8, 4, 4))[0].startswith("pointwise")


def test_the_choice_is_listed():
    fastcnn.set_conv_algorithms("im2col,pointwise")
    assert fastcnn.conv_algorithms() == ["pointwise", "im2col"]


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match=r"unknown convolution algorithm .magic., expected .*im2col"):
        fastcnn.set_conv_algorithms("magic")
