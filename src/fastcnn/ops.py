"""Every op and its gradients as functions: NumPy arrays in, NumPy arrays out.

They run on the kernels that models run on, one op at a time, for tests and study. Arrays may be anything that
`numpy.asarray` or DLPack reads, of any strides. Results are float64 where a floating-point input is, else
float32.
Shapes are logical: x (n, c, h, w), convolution weights w (c_out, c_in / groups, k_h, k_w), whatever lies in
memory.

`<op>_backward(dy, ...)` takes dy, the gradient of some loss L with respect to the op's output y, then the
op's inputs and options, and returns the gradients of L with respect to the floating-point inputs, in their
order.

All raise ShapeError (a ValueError) for extents that don't fit, ValueError for options out of range, and
TypeError for elements of the wrong type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import _core
from fastcnn._arrays import Array, as_array
from fastcnn._core import make_op

Pair = int | Sequence[int]


def conv2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Array:
    """y[n,o,i,j] = b[o] + sum over c,p,q of w[o,c,p,q] x[n, c, i s - pad + p d, j s - pad + q d].

    The textbook's convolution layer, without flipping the kernel (cross-correlation, as all frameworks have
    it).

    Args:
        x: (n, c_in, h, w).
        w: (c_out, c_in / groups, k_h, k_w).
        b: (c_out), or None.
        stride, padding, dilation: one number, or (height, width).
        algorithm: "auto", or one by name, which raises ValueError for shapes that it doesn't take.

    Returns:
        (n, c_out, h_out, w_out), h_out = floor((h + 2 padding - dilation (k_h - 1) - 1) / stride) + 1.
    """
    return _forward(_conv2d(stride, padding, dilation, groups, algorithm), x, w, b)


def conv2d_backward(
    dy: Any,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db) of `conv2d`; db is None where b is.

    dw correlates x with dy, dx spreads dy through w, db sums dy over n, h_out and w_out.
    """
    dx, dw, db = _backward(_conv2d(stride, padding, dilation, groups, algorithm), dy, x, w, b)
    assert dx is not None and dw is not None
    return dx, dw, db


def _conv2d(stride: Pair, padding: Pair, dilation: Pair, groups: int, algorithm: str) -> _core.Op:
    return make_op(
        "conv2d", stride=stride, pad=padding, dilation=dilation, groups=groups, algorithm=algorithm
    )


def linear(x: Any, w: Any, b: Any = None) -> Array:
    """y = x w' + b.

    Args:
        x: (n, in).
        w: (out, in).
        b: (out), or None.
    """
    return _forward(make_op("linear"), x, w, b)


def linear_backward(dy: Any, x: Any, w: Any, b: Any = None) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db) of `linear`: dy w, dy' x, and the sum of dy over n; db is None where b is."""
    dx, dw, db = _backward(make_op("linear"), dy, x, w, b)
    assert dx is not None and dw is not None
    return dx, dw, db


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
) -> Array:
    """Largest element of each window; padding never is the largest.

    Args:
        x: (n, c, h, w).
        stride: kernel_size when None; smaller ones let windows overlap.
        ceil_mode: rounds the output size up instead of down; windows that would start outside the image and
            its left padding are dropped (PyTorch's definition).

    Returns:
        (n, c, h_out, w_out), h_out = floor((h + 2 padding - kernel) / stride) + 1.
    """
    return _forward(_max_pool2d(kernel_size, stride, padding, ceil_mode), x)


def max_pool2d_backward(
    dy: Any,
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
) -> Array:
    """dx of `max_pool2d`: each dy goes to the first largest element of its window."""
    return _only(_backward(_max_pool2d(kernel_size, stride, padding, ceil_mode), dy, x))


def _max_pool2d(kernel_size: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool) -> _core.Op:
    stride = kernel_size if stride is None else stride
    return make_op("max_pool2d", kernel=kernel_size, stride=stride, pad=padding, ceil_mode=ceil_mode)


def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Mean of each window.

    Args:
        count_include_pad: divides by the window's size within the padded image; False: within the image.
        The others are those of `max_pool2d`.
    """
    return _forward(_avg_pool2d(kernel_size, stride, padding, ceil_mode, count_include_pad), x)


def avg_pool2d_backward(
    dy: Any,
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """dx of `avg_pool2d`: each dy is shared equally by its window. Of x only the shape matters."""
    return _only(_backward(_avg_pool2d(kernel_size, stride, padding, ceil_mode, count_include_pad), dy, x))


def _avg_pool2d(
    kernel_size: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool, count_include_pad: bool
) -> _core.Op:
    return make_op(
        "avg_pool2d",
        kernel=kernel_size,
        stride=kernel_size if stride is None else stride,
        pad=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def relu(x: Any) -> Array:
    """max(x, 0), any shape."""
    return _forward(_neuron("relu"), x)


def relu_backward(dy: Any, x: Any) -> Array:
    """dx of `relu`: dy where x > 0, else 0."""
    return _only(_backward(_neuron("relu"), dy, x))


def sigmoid(x: Any) -> Array:
    """y = 1 / (1 + exp(-x)), any shape."""
    return _forward(_neuron("sigmoid"), x)


def sigmoid_backward(dy: Any, x: Any) -> Array:
    """dx of `sigmoid`: dy y (1 - y)."""
    return _only(_backward(_neuron("sigmoid"), dy, x))


def tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """y = a tanh(b x), any shape [LeCun et al., "Efficient BackProp", 1998: a = 1.7159, b = 2/3]."""
    return _forward(_neuron("tanh", a=a, b=b), x)


def tanh_backward(dy: Any, x: Any, a: float = 1.0, b: float = 1.0) -> Array:
    """dx of `tanh`: dy a b (1 - tanh²(b x)) = dy b / a (a² - y²)."""
    return _only(_backward(_neuron("tanh", a=a, b=b), dy, x))


def square(x: Any) -> Array:
    """x², any shape."""
    return _forward(_neuron("square"), x)


def square_backward(dy: Any, x: Any) -> Array:
    """dx of `square`: 2 x dy."""
    return _only(_backward(_neuron("square"), dy, x))


def affine(x: Any, a: float = 1.0, b: float = 0.0) -> Array:
    """a x + b by element, any shape: the linear neuron."""
    return _forward(_neuron("linear", a=a, b=b), x)


def affine_backward(dy: Any, x: Any, a: float = 1.0, b: float = 0.0) -> Array:
    """dx of `affine`: a dy."""
    return _only(_backward(_neuron("linear", a=a, b=b), dy, x))


def _neuron(function: str, **coefficients: float) -> _core.Op:
    return make_op("activation", function=function, **coefficients)


def flatten(x: Any, start_dim: int = 1) -> Array:
    """Axes from `start_dim` on as one, in logical order: (n, c, h, w) to (n, c h w)."""
    return _forward(make_op("flatten", start_dim=start_dim), x)


def flatten_backward(dy: Any, x: Any, start_dim: int = 1) -> Array:
    """dx of `flatten`: dy in the shape of x."""
    return _only(_backward(make_op("flatten", start_dim=start_dim), dy, x))


def dropout(x: Any, p: float = 0.5, *, seed: int = 0, step: int = 0, stream: int = 0) -> Array:
    """Inverted dropout, any shape: 0 with probability p, else x / (1 - p).

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012). Which
    elements drop is a pure function of (seed, step, stream) and their places.
    """
    return _forward(make_op("dropout", p=p, stream=stream), x, training=True, state=(seed, step))


def dropout_backward(
    dy: Any, x: Any, p: float = 0.5, *, seed: int = 0, step: int = 0, stream: int = 0
) -> Array:
    """dx of `dropout`: dy, dropped and scaled as x was. Of x only the shape matters."""
    return _only(_backward(make_op("dropout", p=p, stream=stream), dy, x, state=(seed, step)))


def local_response_norm(
    x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """y = x d^-beta with d = k + alpha / size · sum of x² over the `size` maps around each one.

    Krizhevsky, Sutskever and Hinton (2012), section 3.3, with PyTorch's and Caffe's alpha (theirs times
    size).

    Args:
        x: (n, c, h, w).
    """
    return _forward(_local_response_norm(size, alpha, beta, k), x)


def local_response_norm_backward(
    dy: Any, x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """dx of `local_response_norm`: dy d^-beta - 2 alpha beta / size · x · (sum of dy y / d over the maps
    around)."""
    return _only(_backward(_local_response_norm(size, alpha, beta, k), dy, x))


def _local_response_norm(size: int, alpha: float, beta: float, k: float) -> _core.Op:
    return make_op("local_response_norm", size=size, alpha=alpha, beta=beta, k=k)


def add(a: Any, b: Any) -> Array:
    """a + b, of one shape."""
    return _forward(make_op("add"), a, b)


def add_backward(dy: Any, a: Any, b: Any) -> tuple[Array, Array]:
    """(da, db) of `add`: dy twice. Of a and b only the shapes matter."""
    da, db = _backward(make_op("add"), dy, a, b)
    assert da is not None and db is not None
    return da, db


def concat(inputs: Sequence[Any], axis: int = 1) -> Array:
    """Inputs side by side along `axis`; their other extents agree."""
    return _forward(make_op("concat", axis=axis), *inputs)


def concat_backward(dy: Any, inputs: Sequence[Any], axis: int = 1) -> tuple[Array, ...]:
    """The parts of dy that belong to each input of `concat`. Of the inputs only the shapes matter."""
    gradients = _backward(make_op("concat", axis=axis), dy, *inputs)
    return tuple(gradient for gradient in gradients if gradient is not None)


def softmax(x: Any, axis: int = 1) -> Array:
    """y = exp(x) / (sum of exp(x) along `axis`): of (n, c), or of (n, c, h, w) at each place."""
    return _forward(make_op("softmax", axis=axis), x)


def softmax_backward(dy: Any, x: Any, axis: int = 1) -> Array:
    """dx of `softmax`: y (dy - sum of dy y along `axis`)."""
    return _only(_backward(make_op("softmax", axis=axis), dy, x))


def cross_entropy(x: Any, target: Any, reduction: str = "mean") -> Array:
    """-log softmax(x)[target].

    Args:
        x: logits (n, c).
        target: integer labels (n), in [0, c).
        reduction: "mean" over n, "sum", or "none".

    Returns:
        (), or (n) without reduction.
    """
    return _forward(make_op("softmax_cross_entropy", reduction=reduction), x, target, integer=(1,))


def cross_entropy_backward(dy: Any, x: Any, target: Any, reduction: str = "mean") -> Array:
    """dx of `cross_entropy`: dy (softmax(x) - onehot(target)), divided by n for the mean."""
    op = make_op("softmax_cross_entropy", reduction=reduction)
    return _only(_backward(op, dy, x, target, integer=(1,)))


def squared_error(x: Any, target: Any, reduction: str = "mean") -> Array:
    """(x - target)², any shape: averaged over all elements, summed (the textbook's E), or by element."""
    return _forward(make_op("squared_error", reduction=reduction), x, target)


def squared_error_backward(dy: Any, x: Any, target: Any, reduction: str = "mean") -> tuple[Array, Array]:
    """(dx, dtarget) of `squared_error`: ±2 dy (x - target), divided by their number for the mean."""
    dx, dtarget = _backward(make_op("squared_error", reduction=reduction), dy, x, target)
    assert dx is not None and dtarget is not None
    return dx, dtarget


def _forward(
    op: _core.Op,
    *inputs: Any,
    integer: tuple[int, ...] = (),
    training: bool = False,
    state: tuple[int, int] = (0, 0),
) -> Array:
    executor, arrays = _one_op(op, inputs, integer, training, differentiate=False)
    return executor.run(arrays, *state)[0]


def _backward(
    op: _core.Op,
    dy: Any,
    *inputs: Any,
    integer: tuple[int, ...] = (),
    state: tuple[int, int] = (0, 0),
) -> list[Array | None]:
    """One gradient per floating-point input, None for an absent one."""
    executor, arrays = _one_op(op, inputs, integer, training=True, differentiate=True)
    y = executor.run(arrays, *state)[0]
    seed = as_array(dy, "dy")
    if seed.shape != y.shape:
        raise _core.ShapeError(f"{op.kind}: dy has shape {seed.shape}, expected that of y, {y.shape}")
    gradients = iter(executor.backward([seed]))
    return [None if x is None else next(gradients) for i, x in enumerate(inputs) if i not in integer]


def _only(gradients: list[Array | None]) -> Array:
    (gradient,) = gradients
    assert gradient is not None
    return gradient


def _one_op(
    op: _core.Op, inputs: Sequence[Any], integer: tuple[int, ...], training: bool, differentiate: bool
) -> tuple[_core.Executor, list[Array]]:
    """A graph of one node, planned, and the arrays to run it on."""
    arrays = {i: as_array(x, op.kind) for i, x in enumerate(inputs) if x is not None}
    doubles = any(a.dtype == np.float64 for i, a in arrays.items() if i not in integer)
    floating = "float64" if doubles else "float32"
    graph = _core.Graph()
    values = [_core.NO_VALUE] * len(inputs)
    for i, array in arrays.items():
        dtype = "int64" if i in integer else floating
        values[i] = graph.input(array.shape, dtype, f"x{i}", differentiate and i not in integer)
    graph.output(graph.add(op, values, op.kind), differentiate)
    return _core.Executor(_core.Plan(graph, training)), list(arrays.values())
