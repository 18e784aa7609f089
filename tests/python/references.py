"""Obvious NumPy loops for what fastcnn computes, and gradients by finite differences."""

from itertools import product

import numpy as np


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    n, _, h, width = x.shape
    c_out, c_in, kh, kw = w.shape
    h_out = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    w_out = (width + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    y = np.zeros((n, c_out, h_out, w_out), x.dtype)
    for o, i, j in product(range(c_out), range(h_out), range(w_out)):
        first = o // (c_out // groups) * c_in
        window = padded[:, first : first + c_in, i * sh :, j * sw :][
            :, :, : dh * (kh - 1) + 1 : dh, : dw * (kw - 1) + 1 : dw
        ]
        y[:, o, i, j] = np.einsum("ncpq,cpq->n", window, w[o])
    return y if b is None else y + b[None, :, None, None]


def locally_connected2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out, kh, kw, c_in, c_out = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    y = np.zeros((len(x), c_out, h_out, w_out), x.dtype)
    for i, j, o, p, q, c in product(*map(range, (h_out, w_out, c_out, kh, kw, c_in))):
        channel = o // (c_out // groups) * c_in + c
        y[:, o, i, j] += w[i, j, p, q, c, o] * padded[:, channel, i * sh + p * dh, j * sw + q * dw]
    return y if b is None else y + b


REDUCTIONS = {
    "max": lambda v: v.max(axis=2),
    "max_abs": lambda v: np.take_along_axis(v, abs(v).argmax(axis=2)[..., None], axis=2)[..., 0],
    "sum": lambda v: v.sum(axis=2),
    "mean": lambda v: v.sum(axis=2),
    "weighted": lambda v: (v * v).sum(axis=2) / v.sum(axis=2),
}


def pool2d(
    x,
    kernel,
    stride=None,
    padding=0,
    ceil_mode=False,
    reduce="max",
    count_include_pad=True,
    start=None,
    output_size=None,
):
    kernel, padding, stride = pair(kernel), pair(padding), pair(kernel if stride is None else stride)
    first = [-p for p in padding] if start is None else pair(start)
    ends = [extent + p for extent, p in zip(x.shape[2:], padding, strict=True)]
    sizes = output_size and pair(output_size)
    if sizes is None:
        along = zip(x.shape[2:], first, ends, kernel, stride, strict=True)
        sizes = [pooled(*axis, ceil_mode) for axis in along]
    y = np.zeros((*x.shape[:2], *sizes), x.dtype)
    for i, j in product(*map(range, sizes)):
        (top, left), (kh, kw) = (f + k * s for f, k, s in zip(first, (i, j), stride, strict=True)), kernel
        window = x[:, :, max(top, 0) : top + kh, max(left, 0) : left + kw]
        count = window[0, 0].size
        if count_include_pad:
            count = (min(top + kh, ends[0]) - top) * (min(left + kw, ends[1]) - left)
        flat = window.reshape(*x.shape[:2], -1)
        y[:, :, i, j] = REDUCTIONS[reduce](flat) / (count if reduce == "mean" else 1)
    return y


def pooled(extent, first, end, kernel, stride, ceil_mode):
    span = end - first - kernel
    out = (-(-span // stride) if ceil_mode else span // stride) + 1
    return out - 1 if first + (out - 1) * stride >= extent else out


def local_response_norm(x, size, alpha, beta, k, blocked=False):
    y = np.empty_like(x)
    maps = x.shape[1]
    for i in range(maps):
        first = i // size * size if blocked else i - size // 2
        window = x[:, max(first, 0) : min(first + size, maps)]
        y[:, i] = x[:, i] / (k + alpha / size * (window * window).sum(axis=1)) ** beta
    return y


def spatial_norm(x, size, alpha, beta, k, contrast=False):
    """cuda-convnet's rnorm, and its cnorm: `contrast`."""

    def by_window(images, reduce):
        result = np.empty_like(images)
        for i, j in np.ndindex(images.shape[2:]):
            top, left = i - size // 2, j - size // 2
            window = images[:, :, max(top, 0) : top + size, max(left, 0) : left + size]
            result[:, :, i, j] = reduce(window, axis=(2, 3))
        return result

    z = x - by_window(x, np.mean) if contrast else x
    return x / (k + alpha / size**2 * by_window(z * z, np.sum)) ** beta


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def cross_entropy(x, target):
    return -np.log(softmax(x)[np.arange(len(x)), target])


def numerical_gradient(function, x, dy, eps=1e-5):
    """Of sum(dy * function(x)) with respect to x, by central differences."""
    x = np.asarray(x)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        shifted = np.array(x)
        shifted[index] += eps
        above = np.sum(dy * function(shifted))
        shifted[index] -= 2 * eps
        gradient[index] = (above - np.sum(dy * function(shifted))) / (2 * eps)
    return gradient
