"""Every op and its gradients as functions: NumPy arrays in, NumPy arrays out.

They run on the kernels that models run on, one op at a time, for tests and study. Arrays may be anything that
`numpy.asarray` or DLPack reads, of any strides. Results are float64 where a floating-point input is, else
float32. Shapes are logical: x (n, c, h, w), convolution weights w (c_out, c_in / groups, k_h, k_w), whatever
lies in memory.

`<op>_backward(dy, ...)` takes dy, the gradient of some loss L with respect to the op's output y, then the
op's inputs and options, and returns the gradients of L with respect to the floating-point inputs, in their
order.

All raise ShapeError (a ValueError) for extents that don't fit, ValueError for options out of range, and
TypeError for elements of the wrong type.
"""

from fastcnn.ops.convolution import (
    conv2d,
    conv2d_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
    gather_channels,
    gather_channels_backward,
    locally_connected2d,
    locally_connected2d_backward,
    untied_bias,
    untied_bias_backward,
)
from fastcnn.ops.layers import (
    add,
    add_backward,
    concat,
    concat_backward,
    dropout,
    dropout_backward,
    flatten,
    flatten_backward,
    linear,
    linear_backward,
)
from fastcnn.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_backward,
    cross_entropy,
    cross_entropy_backward,
    softmax,
    softmax_backward,
    squared_error,
    squared_error_backward,
)
from fastcnn.ops.neurons import (
    affine,
    affine_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    square,
    square_backward,
    tanh,
    tanh_backward,
)
from fastcnn.ops.normalization import (
    batch_norm,
    batch_norm_backward,
    contrast_norm,
    contrast_norm_backward,
    group_norm,
    group_norm_backward,
    layer_norm,
    layer_norm_backward,
    local_response_norm,
    local_response_norm_backward,
    spatial_response_norm,
    spatial_response_norm_backward,
)
from fastcnn.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "add",
    "add_backward",
    "affine",
    "affine_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "concat",
    "concat_backward",
    "contrast_norm",
    "contrast_norm_backward",
    "conv2d",
    "conv2d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout_backward",
    "flatten",
    "flatten_backward",
    "gather_channels",
    "gather_channels_backward",
    "group_norm",
    "group_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "locally_connected2d",
    "locally_connected2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "spatial_response_norm",
    "spatial_response_norm_backward",
    "square",
    "square_backward",
    "squared_error",
    "squared_error_backward",
    "tanh",
    "tanh_backward",
    "untied_bias",
    "untied_bias_backward",
]
