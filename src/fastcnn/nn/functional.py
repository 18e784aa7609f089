"""Layers as functions: of symbols inside `forward`, of arrays and tensors outside.

Shapes are logical: x (n, c, h, w), convolution weights (c_out, c_in / groups, k_h, k_w). Names and argument
orders are PyTorch's where it has the function. `fastcnn.ops` has the formulas, and the gradients as
functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn._arrays import as_array
from fastcnn._core import Op, make_op
from fastcnn.nn.parameter import pair_of, shape_of
from fastcnn.ops.pooling import nailbed_op, pool2d_op, pool_channels_op
from fastcnn.tensor import Tensor, apply
from fastcnn.trace import Symbol

Pair = int | Sequence[int]


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Any:
    """2-d convolution (cross-correlation): (n, c_in, h, w) to (n, c_out, h_out, w_out)."""
    op = make_op("conv2d", stride=stride, pad=padding, dilation=dilation, groups=groups, algorithm=algorithm)
    return apply(op, x, weight, bias)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> Any:
    """The transpose of a convolution with that weight, (c_in, c_out / groups, k_h, k_w)."""
    op = make_op(
        "conv_transpose2d",
        stride=stride,
        pad=padding,
        output_pad=output_padding,
        dilation=dilation,
        groups=groups,
        algorithm=algorithm,
    )
    return apply(op, x, weight, bias)


def gather_channels(x: Any, index: Any) -> Any:
    """x[:, index]: channels of (n, c) or (n, c, h, w) by their numbers, integers (m)."""
    return apply(make_op("gather_channels"), x, index, integer=(1,))


def locally_connected2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Any:
    """Convolution with filters of its own at each output position.

    weight (h_out, w_out, k_h, k_w, c_in / groups, c_out), bias (1, c_out, h_out, w_out).
    """
    op = make_op("locally_connected2d", stride=stride, pad=padding, dilation=dilation, groups=groups)
    return apply(op, x, weight, bias)


def untied_bias(x: Any, bias: Any) -> Any:
    """x + bias: (n, ...) and (1, ...), a number for each element of a sample."""
    return apply(make_op("untied_bias"), x, bias)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x W' + b: (n, f) and W (out, f) to (n, out)."""
    return apply(make_op("linear"), x, weight, bias)


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    *,
    start: Pair | None = None,
    output_size: Pair | None = None,
) -> Any:
    """Largest element of each window; stride defaults to kernel_size."""
    return apply(pool2d_op("max_pool2d", kernel_size, stride, padding, ceil_mode, start, output_size), x)


def max_abs_pool2d(x: Any, *windows: Any, **options: Any) -> Any:
    """Element of the largest magnitude of each window, with its sign; arguments as of max_pool2d."""
    return apply(pool2d_op("max_pool2d", *windows, **options, abs=True), x)


def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    start: Pair | None = None,
    output_size: Pair | None = None,
) -> Any:
    """Mean of each window; stride defaults to kernel_size."""
    windows = (kernel_size, stride, padding, ceil_mode, start, output_size)
    return apply(pool2d_op("avg_pool2d", *windows, count_include_pad=count_include_pad), x)


def sum_pool2d(x: Any, *windows: Any, **options: Any) -> Any:
    """Sum of each window; arguments as of max_pool2d."""
    return apply(pool2d_op("avg_pool2d", *windows, **options, sum=True), x)


def adaptive_avg_pool2d(x: Any, output_size: Pair) -> Any:
    """Mean of each of output_size windows that share out the input, as in PyTorch."""
    return _adaptive_pool2d("avg_pool2d", x, output_size)


def adaptive_max_pool2d(x: Any, output_size: Pair) -> Any:
    """Largest element of each of output_size windows that share out the input, as in PyTorch."""
    return _adaptive_pool2d("max_pool2d", x, output_size)


def max_pool_channels(x: Any, size: int, stride: int | None = None, **options: Any) -> Any:
    """Largest of `size` neighbouring channels; options as of ops.max_pool_channels."""
    return apply(pool_channels_op("max", size, stride, **options), x)


def avg_pool_channels(x: Any, size: int, stride: int | None = None, **options: Any) -> Any:
    """Mean of `size` neighbouring channels; options as of ops.max_pool_channels."""
    return apply(pool_channels_op("avg", size, stride, **options), x)


def gaussian_blur(x: Any, kernel_size: int, sigma: float) -> Any:
    """Each channel convolved with a Gaussian, the image being 0 beyond its sides."""
    return apply(make_op("gaussian_blur", size=kernel_size, sigma=sigma), x)


def nailbed(x: Any, stride: Pair, start: Pair | None = None) -> Any:
    """One pixel of each stride x stride, from `start` on; in the middle when None."""
    return apply(nailbed_op(_shape_of(x), stride, start), x)


def _shape_of(x: Any) -> tuple[int, ...]:
    return tuple(x.shape if isinstance(x, (Symbol, Tensor)) else as_array(x, "input").shape)


def _adaptive_pool2d(kind: str, x: Any, output_size: Pair) -> Any:
    wanted = pair_of("adaptive_" + kind, "output_size", output_size)
    if _shape_of(x)[2:] == wanted:
        return x
    return apply(make_op(kind, output=wanted), x)


def identity(x: Any) -> Any:
    """x."""
    return x


def relu(x: Any) -> Any:
    """max(x, 0)."""
    return apply(make_op("activation", function="relu"), x)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return apply(make_op("activation", function="relu6"), x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return apply(make_op("activation", function="sigmoid"), x)


def tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Any:
    """a tanh(b x)."""
    return apply(make_op("activation", function="tanh", a=a, b=b), x)


def square(x: Any) -> Any:
    """x²."""
    return apply(make_op("activation", function="square"), x)


def affine(x: Any, a: float = 1.0, b: float = 0.0) -> Any:
    """a x + b, by element."""
    return apply(make_op("activation", function="linear", a=a, b=b), x)


def flatten(x: Any, start_dim: int = 1) -> Any:
    """Axes from `start_dim` on as one, in logical (CHW) order."""
    return apply(make_op("flatten", start_dim=start_dim), x)


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Inverted dropout: zeroes with probability p, divides the rest by 1 - p; x unless training."""
    stream = x._tracer.next_stream() if isinstance(x, Symbol) and training else 0
    op = make_op("dropout", p=p, stream=stream)
    return apply(op, x) if training else x


def local_response_norm(
    x: Any,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    blocked: bool = False,
) -> Any:
    """x / (k + alpha / size · sum of x² over `size` neighbouring maps, or those of a block)^beta."""
    op = make_op("local_response_norm", size=size, alpha=alpha, beta=beta, k=k, blocked=blocked)
    return apply(op, x)


def spatial_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha / size² · sum of x² over size × size pixels of the same map)^beta."""
    return apply(make_op("spatial_norm", size=size, alpha=alpha, beta=beta, k=k), x)


def contrast_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha / size² · sum of (x - local mean)² over size × size pixels of the same map)^beta."""
    return apply(make_op("spatial_norm", size=size, alpha=alpha, beta=beta, k=k, contrast=True), x)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """weight (x - mean) / sqrt(variance + eps) + bias, the moments over groups of channels of a sample."""
    return apply(make_op("group_norm", groups=num_groups, eps=eps), x, weight, bias)


def layer_norm(
    x: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """weight (x - mean) / sqrt(variance + eps) + bias, the moments over the last axes of a sample."""
    op = make_op("layer_norm", shape=shape_of("layer_norm", normalized_shape), eps=eps)
    return apply(op, x, weight, bias)


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """weight (x - mean) / sqrt(variance + eps) + bias per channel, for (n, c) and (n, c, h, w).

    Mean and variance are the batch's in training and where there are no running ones. Where these are Buffers
    of a model in training, they move towards those of the batch by `momentum`.
    """
    op = make_op("batch_norm", eps=eps, momentum=momentum, batch_statistics=training)
    return apply(op, x, weight, bias, running_mean, running_var)


def add(a: Any, b: Any) -> Any:
    """a + b, of one shape."""
    return apply(make_op("add"), a, b)


def concat(inputs: Sequence[Any], dim: int = 1) -> Any:
    """Inputs side by side along axis `dim`."""
    return apply(make_op("concat", axis=dim), *inputs)


def softmax(x: Any, dim: int = 1) -> Any:
    """exp(x) / sum of exp(x) along axis `dim`."""
    return apply(make_op("softmax", axis=dim), x)


def cross_entropy(
    x: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """-log softmax(x)[target]: logits (n, c) and labels (n), or distributions over the classes (n, c), to a
    scalar, or (n) with reduction="none". See nn.CrossEntropyLoss."""
    if not isinstance(target, (Symbol, Tensor)):
        target = as_array(target, "cross_entropy")
    op = cross_entropy_op(reduction, ignore_index, label_smoothing)
    return apply(op, x, target, weight, integer=(1,) if target.ndim == 1 else ())


def cross_entropy_op(reduction: str, ignore_index: int, label_smoothing: float) -> Op:
    return make_op(
        "softmax_cross_entropy",
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )


def mse_loss(x: Any, target: Any = None, reduction: str = "mean") -> Any:
    """(x - target)², or x², averaged ("mean"), summed ("sum", the textbook's E), summed and divided by the
    number of samples ("batchmean"), or by element ("none")."""
    inputs = (x,) if target is None else (x, target)
    return apply(make_op("squared_error", reduction=reduction), *inputs)


def binary_cross_entropy_with_logits(
    x: Any, target: Any, reduction: str = "mean", *, pos_weight: Any = None
) -> Any:
    """-(a t log p + (1 - t) log(1 - p)), p = 1 / (1 + e^-x), a = pos_weight: (1), or (c) for x (n, c)."""
    return apply(make_op("binary_cross_entropy", reduction=reduction), x, target, pos_weight)


def binary_cross_entropy(p: Any, target: Any, reduction: str = "mean", *, pos_weight: Any = None) -> Any:
    """As binary_cross_entropy_with_logits, of probabilities."""
    op = make_op("binary_cross_entropy", from_logits=False, reduction=reduction)
    return apply(op, p, target, pos_weight)
