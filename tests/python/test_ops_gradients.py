"""The gradient of each function of fastcnn.ops, on images of any size, against differences along a direction.

What the functions compute, and more of their options, are tested under their names.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import mark

from fastcnn import ops


def different(rng, shapes):
    """Numbers between -4 and 4, each another one, and no multiples of a tenth, which is where kinks are."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    numbers = (rng.permutation(sum(sizes)) + 0.5) / sum(sizes) * 7.9 - 3.9
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def between_0_and_1(rng, shapes):
    return [x / 10 + 0.5 for x in different(rng, shapes)]


class Door(NamedTuple):
    """call(f, *inputs) calls f, which is the function, or its gradient at some dy."""

    call: Callable = lambda f, *inputs: f(*inputs)
    shapes: tuple = ("nchw",)  # of the inputs: n, c, h and w are drawn, or multiples: "2h"
    values: Callable = different


TAPS = {"stride": (2, 1), "padding": 1}
WINDOWS = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
DRAW = {"seed": 1, "step": 2, "stream": 3}

DOORS = {
    "abs_tanh": Door(lambda f, x: f(x, 1.7, -0.6)),
    "absolute": Door(),
    "adaptive_avg_pool2d": Door(lambda f, x: f(x, (2, 3))),
    "adaptive_max_pool2d": Door(lambda f, x: f(x, (2, 3))),
    "add": Door(lambda f, *x: f(*x, coefficients=[1, -2, 0.5]), ("nchw",) * 3),
    "affine": Door(lambda f, x: f(x, -2.5, 0.5)),
    "avg_pool2d": Door(lambda f, x: f(x, **WINDOWS)),
    "avg_pool_channels": Door(lambda f, x: f(x, 3, 2, start=-1, ceil_mode=True)),
    "batch_norm": Door(shapes=("nchw", "c", "c")),
    "binary_cross_entropy": Door(shapes=("nc", "nc"), values=between_0_and_1),
    "bounded_relu": Door(lambda f, x: f(x, 1.5)),
    "concat": Door(lambda f, *x: f(x), ("nchw",) * 3),
    "contrast_norm": Door(lambda f, x: f(x, 3, 0.5)),
    "conv2d": Door(lambda f, *x: f(*x, **TAPS), ("nchw", (4, "c", 3, 2), (4,))),
    "conv_transpose2d": Door(
        lambda f, *x: f(*x, **TAPS, output_padding=(1, 0)), ("nchw", ("c", 4, 3, 2), (4,))
    ),
    "convnet_resize": Door(lambda f, x: f(x, 1.4)),
    "crop2d": Door(lambda f, x: f(x, 1, 0, 2, 3)),
    "cross_entropy": Door(lambda f, x: f(x, np.arange(len(x)) % x.shape[1], label_smoothing=0.1), ("nc",)),
    "double_relu": Door(lambda f, x: f(x, 0.7)),
    "dropout": Door(lambda f, x: f(x, 0.3, **DRAW)),
    "elu": Door(lambda f, x: f(x, 0.3)),
    "flatten": Door(),
    "gather_channels": Door(lambda f, x: f(x, [0, x.shape[1] - 1, 0])),
    "gaussian_blur": Door(lambda f, x: f(x, 3, 0.8)),
    "gelu": Door(lambda f, x: f(x, "tanh")),
    "group_norm": Door(lambda f, x, *affine: f(x, x.shape[1], *affine), ("nchw", "c", "c")),
    "hardsigmoid": Door(),
    "hardswish": Door(),
    "interpolate": Door(lambda f, x: f(x, (4, 7), mode="bilinear")),
    "layer_norm": Door(lambda f, x, *affine: f(x, x.shape[1:], *affine), ("nchw", "chw", "chw")),
    "leaky_relu": Door(lambda f, x: f(x, 0.2)),
    "linear": Door(shapes=("nc", "hc", "h")),
    "local_response_norm": Door(lambda f, x: f(x, 3, 0.5)),
    "locally_connected2d": Door(
        lambda f, *x: f(*x, padding=1), ("nchw", ("h", "w", 3, 3, "c", 4), (1, 4, "h", "w"))
    ),
    "log": Door(lambda f, x: f(x, 0.2), values=between_0_and_1),
    "max_abs_pool2d": Door(lambda f, x: f(x, **WINDOWS)),
    "max_pool2d": Door(lambda f, x: f(x, **WINDOWS)),
    "max_pool_channels": Door(lambda f, x: f(x, 3, 2, start=-1, ceil_mode=True)),
    "maximum": Door(shapes=("nchw",) * 3),
    "mish": Door(),
    "multiply": Door(shapes=("nchw",) * 3),
    "nailbed": Door(lambda f, x: f(x, 2)),
    "narrow": Door(lambda f, x: f(x, 1, 3, 2)),
    "noisy_relu": Door(lambda f, x: f(x, **DRAW)),
    "pad2d": Door(lambda f, x: f(x, (1, 2, 0, 1), "reflect")),
    "pixel_shuffle": Door(lambda f, x: f(x, 2, "dcr"), (("n", "4c", "h", "w"),)),
    "pixel_unshuffle": Door(lambda f, x: f(x, 2), (("n", "c", "2h", "2w"),)),
    "prelu": Door(shapes=("nchw", "c")),
    "relu": Door(),
    "relu6": Door(),
    "reshape": Door(lambda f, x: f(x, (-1, x.shape[2]))),
    "rgb_to_lab": Door(shapes=(("n", 3, "h", "w"),), values=between_0_and_1),
    "rgb_to_yuv": Door(shapes=(("n", 3, "h", "w"),)),
    "sigmoid": Door(),
    "silu": Door(),
    "softmax": Door(lambda f, x: f(x, 1)),
    "softplus": Door(lambda f, x: f(x, 2.5)),
    "spatial_response_norm": Door(lambda f, x: f(x, 3, 0.5)),
    "split": Door(lambda f, x: f(x, 2, axis=2)),
    "sqrt": Door(values=between_0_and_1),
    "square": Door(),
    "squared_error": Door(shapes=("nc", "nc")),
    "stochastic_pool2d": Door(lambda f, x: f(x, **WINDOWS, **DRAW)),
    "sum_pool2d": Door(lambda f, x: f(x, **WINDOWS)),
    "tanh": Door(lambda f, x: f(x, 1.7159, 2 / 3)),
    "untied_bias": Door(shapes=("nchw", (1, "c", "h", "w"))),
}


def test_every_gradient_is_tested():
    assert sorted(DOORS) == sorted(
        name.removesuffix("_backward") for name in ops.__all__ if name.endswith("_backward")
    )


EXTENTS = st.fixed_dictionaries(
    {"n": st.integers(1, 2), "c": st.integers(1, 4), "h": st.integers(3, 6), "w": st.integers(3, 6)}
)


@mark.parametrize("name", DOORS)
@settings(max_examples=8, deadline=None)
@given(extents=EXTENTS, seed=st.integers(0, 1000))
def test_gradients_match_differences(name, extents, seed):
    door, rng, step = DOORS[name], np.random.default_rng(seed), 1e-5
    extents |= {f"{factor}{e}": factor * extents[e] for e in "chw" for factor in (2, 4)}
    inputs = door.values(rng, [tuple(extents.get(e, e) for e in shape) for shape in door.shapes])
    forward = partial(door.call, getattr(ops, name))
    y = forward(*inputs)
    several = isinstance(y, tuple)
    dy = [rng.standard_normal(part.shape) for part in y] if several else rng.standard_normal(y.shape)

    def seeded(*x):
        return (
            sum(np.sum(a * b) for a, b in zip(dy, forward(*x), strict=True))
            if several
            else np.sum(dy * forward(*x))
        )

    gradients = door.call(partial(getattr(ops, name + "_backward"), dy), *inputs)
    for i, dx in enumerate(gradients if isinstance(gradients, tuple) else (gradients,)):
        direction = rng.uniform(-1, 1, dx.shape)
        ahead, behind = (
            seeded(*inputs[:i], inputs[i] + way * step * direction, *inputs[i + 1 :]) for way in (1, -1)
        )
        expected = (ahead - behind) / (2 * step)
        assert abs(np.sum(dx * direction) - expected) < 1e-6 * (1 + np.abs(dx).sum()), f"input {i}"
