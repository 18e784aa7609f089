# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Kernels on batches of images in planes. The typed surface is _augment.pyi."""

import numpy as np

from libc.string cimport memcpy

ctypedef fused Pixel:
    unsigned char
    float


cdef dtype_of(Py_ssize_t size):
    return np.uint8 if size == 1 else np.float32


cdef void copy_row(const Pixel* x, Pixel* y, Py_ssize_t w_in, Py_ssize_t w_out, Py_ssize_t left, bint flip,
                   Pixel fill) noexcept nogil:
    # y[j] = x[left + j], `fill` where there is no such pixel; from right to left if `flip`.
    cdef Py_ssize_t first = min(max(0, -left), w_out)
    cdef Py_ssize_t last = max(min(w_out, w_in - left), first)
    cdef Py_ssize_t j
    if flip:
        for j in range(w_out):
            y[w_out - 1 - j] = x[left + j] if first <= j < last else fill
        return
    for j in range(first):
        y[j] = fill
    if last > first:
        memcpy(y + first, x + left + first, (last - first) * sizeof(Pixel))
    for j in range(last, w_out):
        y[j] = fill


def crop(const Pixel[:, :, :, ::1] x, const Py_ssize_t[::1] top, const Py_ssize_t[::1] left,
         const unsigned char[::1] flip, Py_ssize_t height, Py_ssize_t width, Pixel fill):
    """Windows of images; see _augment.pyi."""
    cdef Py_ssize_t n = x.shape[0], c = x.shape[1], h_in = x.shape[2], w_in = x.shape[3]
    cdef Py_ssize_t i, k, row, source
    result = np.empty((n, c, height, width), dtype_of(sizeof(Pixel)))
    cdef Pixel[:, :, :, ::1] y = result
    with nogil:
        for i in range(n):
            for k in range(c):
                for row in range(height):
                    source = top[i] + row
                    if 0 <= source < h_in:
                        copy_row[Pixel](&x[i, k, source, 0], &y[i, k, row, 0], w_in, width, left[i], flip[i], fill)
                    else:
                        y[i, k, row, :] = fill
    return result


def erase(const Pixel[:, :, :, ::1] x, const Py_ssize_t[::1] top, const Py_ssize_t[::1] left,
          Py_ssize_t height, Py_ssize_t width, const Pixel[::1] fill):
    """Images with a window of each filled; see _augment.pyi."""
    cdef Py_ssize_t i, k, row, column, first_row, last_row, first, last
    result = np.array(x)
    cdef Pixel[:, :, :, ::1] y = result
    with nogil:
        for i in range(y.shape[0]):
            first_row, last_row = max(0, top[i]), min(y.shape[2], top[i] + height)
            first, last = max(0, left[i]), min(y.shape[3], left[i] + width)
            for k in range(y.shape[1]):
                for row in range(first_row, last_row):
                    for column in range(first, last):
                        y[i, k, row, column] = fill[k]
    return result


cdef void scale_row(const Pixel* x, float* y, Py_ssize_t y_step, float scale, const float* shift,
                    Py_ssize_t shift_step, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    cdef float constant
    if shift_step == 0:
        constant = shift[0]
        for j in range(n):
            y[j * y_step] = x[j] * scale + constant
    else:
        for j in range(n):
            y[j * y_step] = x[j] * scale + shift[j * shift_step]


def scale_and_shift(const Pixel[:, :, :, ::1] x, const float[::1] scale, const float[:, :, :, :] shift,
                    bint channels_last):
    """x * scale + shift; see _augment.pyi."""
    cdef Py_ssize_t n = x.shape[0], c_in = x.shape[1], h = x.shape[2], w = x.shape[3]
    cdef Py_ssize_t c = scale.shape[0]
    cdef Py_ssize_t i, k, row, y_step
    if channels_last:
        result = np.empty((n, h, w, c), np.float32).transpose(0, 3, 1, 2)
    else:
        result = np.empty((n, c, h, w), np.float32)
    cdef float[:, :, :, :] y = result
    y_step = c if channels_last else 1
    with nogil:
        for i in range(n):
            for row in range(h):
                for k in range(c):
                    scale_row[Pixel](&x[i, k if c_in > 1 else 0, row, 0], &y[i, k, row, 0], y_step, scale[k],
                                     &shift[i, k, row, 0], shift.strides[3] // <Py_ssize_t>sizeof(float), w)
    return result


cdef inline float clip(float value) noexcept nogil:
    return min(max(value, <float>0), <float>255)


cdef inline float grey(float red, float green, float blue) noexcept nogil:
    # Luma of ITU-R BT.601.
    return <float>0.299 * red + <float>0.587 * green + <float>0.114 * blue


cdef void jitter_image(const Pixel* x, float* y, Py_ssize_t n, float brightness, float contrast,
                       float saturation) noexcept nogil:
    # n pixels in three planes.
    cdef double total = 0
    cdef float mean, level
    cdef Py_ssize_t j, k
    for j in range(n):
        for k in range(3):
            y[k * n + j] = clip(x[k * n + j] * brightness)
        total += grey(y[j], y[n + j], y[2 * n + j])
    mean = <float>(total / n)
    for j in range(3 * n):
        y[j] = clip(mean + contrast * (y[j] - mean))
    for j in range(n):
        level = grey(y[j], y[n + j], y[2 * n + j])
        for k in range(3):
            y[k * n + j] = clip(level + saturation * (y[k * n + j] - level))


def jitter(const Pixel[:, :, :, ::1] x, const float[:, ::1] factors):
    """Other brightness, contrast and saturation; see _augment.pyi."""
    cdef Py_ssize_t n = x.shape[0], pixels = x.shape[2] * x.shape[3]
    cdef Py_ssize_t i
    result = np.empty((n, 3, x.shape[2], x.shape[3]), np.float32)
    cdef float[:, :, :, ::1] y = result
    with nogil:
        for i in range(n):
            jitter_image[Pixel](&x[i, 0, 0, 0], &y[i, 0, 0, 0], pixels, factors[i, 0], factors[i, 1], factors[i, 2])
    return result
