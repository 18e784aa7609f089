"""Initialisers: fill a Parameter in place and return it.

Numbers come from `fastcnn.manual_seed`: they depend on the seed and on how many parameters were filled
before.
"""

from __future__ import annotations

import math

from fastcnn import random
from fastcnn.engine.parameter import Parameter

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}


def uniform_(parameter: Parameter, low: float = 0.0, high: float = 1.0) -> Parameter:
    """Uniform in [low, high)."""
    parameter._core.fill_uniform(*random.next_fill(), low, high)
    return parameter


def normal_(parameter: Parameter, mean: float = 0.0, std: float = 1.0) -> Parameter:
    """Normal with that mean and standard deviation."""
    parameter._core.fill_normal(*random.next_fill(), mean, std)
    return parameter


def constant_(parameter: Parameter, value: float) -> Parameter:
    """The same number everywhere."""
    parameter.value[...] = value
    return parameter


def zeros_(parameter: Parameter) -> Parameter:
    """0."""
    return constant_(parameter, 0.0)


def ones_(parameter: Parameter) -> Parameter:
    """1."""
    return constant_(parameter, 1.0)


def xavier_uniform_(parameter: Parameter, gain: float = 1.0) -> Parameter:
    """Uniform of variance gain² · 2 / (fan_in + fan_out) [Glorot and Bengio 2010, equation 16]."""
    bound = gain * math.sqrt(6 / (fan_in(parameter) + fan_out(parameter)))
    return uniform_(parameter, -bound, bound)


def xavier_normal_(parameter: Parameter, gain: float = 1.0) -> Parameter:
    """Normal of variance gain² · 2 / (fan_in + fan_out) [Glorot and Bengio 2010, equation 12]."""
    return normal_(parameter, 0.0, gain * math.sqrt(2 / (fan_in(parameter) + fan_out(parameter))))


def kaiming_uniform_(
    parameter: Parameter, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Parameter:
    """Uniform of variance gain² / fan [He et al. 2015, equation 10].

    Args:
        a: negative slope of the leaky ReLU after the layer.
        mode: "fan_in" keeps the variance of activations, "fan_out" that of gradients.
        nonlinearity: "leaky_relu", "relu", "tanh", "sigmoid" or "linear".
    """
    bound = math.sqrt(3.0) * _kaiming_std(parameter, a, mode, nonlinearity)
    return uniform_(parameter, -bound, bound)


def kaiming_normal_(
    parameter: Parameter, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Parameter:
    """Normal of variance gain² / fan [He et al. 2015, equation 10]; arguments as in `kaiming_uniform_`."""
    return normal_(parameter, 0.0, _kaiming_std(parameter, a, mode, nonlinearity))


def calculate_gain(nonlinearity: str, a: float = 0.0) -> float:
    """The factor by which a layer's standard deviation makes up for the neuron after it.

    Raises:
        ValueError: unknown nonlinearity.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + a * a))
    if nonlinearity not in _GAINS:
        raise ValueError(f"nonlinearity is {nonlinearity!r}, expected leaky_relu, {', '.join(_GAINS)}")
    return _GAINS[nonlinearity]


def fan_in(parameter: Parameter) -> int:
    """How many inputs each output of the layer sums: c_in k_h k_w for the weights of convolutions, (c_out,
    c_in, k_h, k_w), and of locally connected layers, (h_out, w_out, k_h, k_w, c_in, c_out)."""
    shape = _weight_shape(parameter)
    return math.prod(shape[1:] if len(shape) < 6 else shape[2:5])


def fan_out(parameter: Parameter) -> int:
    """How many outputs each input goes to, strides aside: c_out k_h k_w for the same shapes."""
    shape = _weight_shape(parameter)
    return shape[0] * math.prod(shape[2:]) if len(shape) < 6 else shape[5] * math.prod(shape[2:4])


def _weight_shape(parameter: Parameter) -> tuple[int, ...]:
    if len(parameter.shape) < 2:
        raise ValueError(f"fans are defined for weights of rank 2 and more, got shape {parameter.shape}")
    return parameter.shape


def _kaiming_std(parameter: Parameter, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}, expected fan_in or fan_out")
    fan = fan_in(parameter) if mode == "fan_in" else fan_out(parameter)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)
