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
from fastcnn.nn.options import (
    convnet_resizing,
    crop_padding,
    gelu_kind,
    nailbed_op,
    parts_of,
    pool2d_op,
    pool_channels_op,
    resizing,
)
from fastcnn.nn.parameter import pair_of, shape_of
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
    return apply(nailbed_op(_shape(x), stride, start), x)


def _adaptive_pool2d(kind: str, x: Any, output_size: Pair) -> Any:
    wanted = pair_of("adaptive_" + kind, "output_size", output_size)
    if _shape(x)[2:] == wanted:
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


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where x > 0, else negative_slope x."""
    return apply(make_op("activation", function="leaky_relu", a=negative_slope), x)


def prelu(x: Any, weight: Any) -> Any:
    """x where x > 0, else weight x; weight (1), or (c) for each channel."""
    return apply(make_op("prelu"), x, weight)


def noisy_relu(x: Any, training: bool = True) -> Any:
    """max(x + sqrt(sigmoid(x)) z, 0), z standard normal; max(x, 0) unless training."""
    if not training:
        return relu(x)
    return apply(make_op("noisy_relu", stream=_stream(x)), x)


def bounded_relu(x: Any, a: float) -> Any:
    """min(max(x, 0), a)."""
    return apply(make_op("activation", function="bounded_relu", a=a), x)


def double_relu(x: Any, a: float) -> Any:
    """x - a tanh(x / a)."""
    return apply(make_op("activation", function="double_relu", a=a), x)


def softplus(x: Any, beta: float = 1.0) -> Any:
    """log(1 + exp(beta x)) / beta."""
    return apply(make_op("activation", function="softplus", a=beta), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha (exp(x) - 1)."""
    return apply(make_op("activation", function="elu", a=alpha), x)


def gelu(x: Any, approximate: str = "none") -> Any:
    """x Phi(x), Phi being the normal distribution; approximate="tanh": x / 2 (1 + tanh(...))."""
    return apply(make_op("activation", function=gelu_kind(approximate)), x)


def silu(x: Any) -> Any:
    """x / (1 + exp(-x))."""
    return apply(make_op("activation", function="silu"), x)


def hardsigmoid(x: Any) -> Any:
    """min(max(x / 6 + 1/2, 0), 1)."""
    return apply(make_op("activation", function="hard_sigmoid"), x)


def hardswish(x: Any) -> Any:
    """x min(max(x / 6 + 1/2, 0), 1)."""
    return apply(make_op("activation", function="hard_swish"), x)


def absolute(x: Any) -> Any:
    """|x|."""
    return apply(make_op("activation", function="abs"), x)


def abs_tanh(x: Any, a: float = 1.0, b: float = 1.0) -> Any:
    """a |tanh(b x)|."""
    return apply(make_op("activation", function="abs_tanh", a=a, b=b), x)


def sqrt(x: Any) -> Any:
    """Square root."""
    return apply(make_op("activation", function="sqrt"), x)


def log(x: Any, a: float = 0.0) -> Any:
    """Natural logarithm of x + a."""
    return apply(make_op("activation", function="log", a=a), x)


def affine(x: Any, a: float = 1.0, b: float = 0.0) -> Any:
    """a x + b, by element."""
    return apply(make_op("activation", function="linear", a=a, b=b), x)


def flatten(x: Any, start_dim: int = 1) -> Any:
    """Axes from `start_dim` on as one, in logical (CHW) order."""
    return apply(make_op("flatten", start_dim=start_dim), x)


def dropout(x: Any, p: float = 0.5, training: bool = True, scaling: str = "training") -> Any:
    """Zeroes with probability p in training. To keep the means, scaling="training" divides the rest by 1 - p,
    and "inference" multiplies all by 1 - p unless training; "none" does neither."""
    op = make_op("dropout", p=p, scaling=scaling, stream=_stream(x) if training else 0)
    if training:
        return apply(op, x)
    return affine(x, 1 - p) if scaling == "inference" else x


def _stream(x: Any) -> int:
    """Random numbers of its own for a node of a model."""
    return x._tracer.next_stream() if isinstance(x, Symbol) else 0


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


def add(*inputs: Any, coefficients: Sequence[float] | None = None) -> Any:
    """Sum of inputs of one shape, each times its coefficient where there are any."""
    options = {} if coefficients is None else {"coefficients": coefficients}
    return apply(make_op("add", **options), *inputs)


def maximum(*inputs: Any) -> Any:
    """Largest of the inputs, of one shape, by element."""
    return apply(make_op("maximum"), *inputs)


def multiply(*inputs: Any) -> Any:
    """Product of the inputs, of one shape, by element."""
    return apply(make_op("multiply"), *inputs)


def concat(inputs: Sequence[Any], dim: int = 1) -> Any:
    """Inputs side by side along axis `dim`."""
    return apply(make_op("concat", axis=dim), *inputs)


def narrow(x: Any, dim: int, start: int, length: int) -> Any:
    """Elements [start, start + length) of axis `dim`; start counts from the end where it is negative."""
    start = start + _shape(x)[dim] if start < 0 else start
    return apply(make_op("slice", start=start, stop=start + length, axis=dim), x)


def split(x: Any, split_size_or_sections: int | Sequence[int], dim: int = 1) -> tuple[Any, ...]:
    """Parts of axis `dim`, of one size, the last one smaller if need be, or of these sizes."""
    sizes = parts_of(_shape(x)[dim], split_size_or_sections)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(x, dim, start, size) for start, size in zip(starts, sizes, strict=True))


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """The same elements in logical order under another shape, of which one extent may be -1."""
    return apply(make_op("reshape", shape=tuple(shape)), x)


def pad(x: Any, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Any:
    """x (n, c, h, w) with (left, right, top, bottom) columns and rows more, or fewer where negative.

    mode: "constant" (value), "reflect" or "replicate".
    """
    return apply(make_op("pad2d", padding=tuple(padding), mode=mode, value=value), x)


def crop(x: Any, top: int, left: int, height: int, width: int) -> Any:
    """Rows [top, top + height) and columns [left, left + width) of x (n, c, h, w)."""
    return pad(x, crop_padding(_shape(x), top, left, height, width))


def interpolate(
    x: Any,
    size: Pair | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """x (n, c, h, w) resized to `size`, or by `scale_factor`, by "nearest" pixels or "bilinear"."""
    return apply(make_op("resize2d", **resizing(_shape(x), size, scale_factor, mode, align_corners)), x)


def convnet_resize(x: Any, scale: float) -> Any:
    """x (n, c, h, w) reduced by `scale`, bilinearly, as cuda-convnet's resize layer does it."""
    return apply(make_op("resize2d", **convnet_resizing(_shape(x), scale)), x)


def rgb_to_yuv(x: Any) -> Any:
    """x (n, 3, h, w), red, green and blue, as Y, U and V."""
    return apply(make_op("color_transform", to="yuv"), x)


def rgb_to_lab(x: Any, center: bool = False) -> Any:
    """x (n, 3, h, w), red, green and blue from 0 to 1, as L*, a* and b*; center: L* - 50."""
    return apply(make_op("color_transform", to="lab", center=center), x)


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(x.shape if isinstance(x, (Symbol, Tensor)) else as_array(x, "functional").shape)


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
