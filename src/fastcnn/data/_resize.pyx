# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Bilinear resizing of batches of images. The typed surface is _resize.pyi."""

import numpy as np

from libc.stdlib cimport free, malloc

ctypedef fused Pixel:
    unsigned char
    float


cdef struct Tap:
    # One output coordinate reads input coordinates `low` and `high`, weighted 1 - `fraction` and `fraction`.
    Py_ssize_t low
    Py_ssize_t high
    float fraction


cdef void fill_taps(Tap* taps, Py_ssize_t size_in, Py_ssize_t size_out) noexcept nogil:
    # Half-pixel centres: output i covers the input around (i + 1/2) size_in / size_out - 1/2.
    cdef double scale = <double>size_in / <double>size_out
    cdef double position
    cdef Py_ssize_t i
    for i in range(size_out):
        position = max(0.0, (i + 0.5) * scale - 0.5)
        taps[i].low = min(<Py_ssize_t>position, size_in - 1)
        taps[i].high = min(taps[i].low + 1, size_in - 1)
        taps[i].fraction = <float>(position - taps[i].low)


cdef void resize_rows(const Pixel* x, float* y, const Tap* rows, const Tap* columns,
                      Py_ssize_t w_in, Py_ssize_t h_out, Py_ssize_t w_out, Py_ssize_t c) noexcept nogil:
    # One image, channels last.
    cdef const Pixel* upper
    cdef const Pixel* lower
    cdef Py_ssize_t i, j, k, left, right
    cdef float above, below
    for i in range(h_out):
        upper = x + rows[i].low * w_in * c
        lower = x + rows[i].high * w_in * c
        for j in range(w_out):
            left = columns[j].low * c
            right = columns[j].high * c
            for k in range(c):
                above = upper[left + k] + columns[j].fraction * (<float>upper[right + k] - upper[left + k])
                below = lower[left + k] + columns[j].fraction * (<float>lower[right + k] - lower[left + k])
                y[(i * w_out + j) * c + k] = above + rows[i].fraction * (below - above)


cdef void resize_batch(const Pixel[:, :, :, ::1] x, float[:, :, :, ::1] y, Tap* taps) noexcept nogil:
    cdef Py_ssize_t n
    fill_taps(taps, x.shape[1], y.shape[1])
    fill_taps(taps + y.shape[1], x.shape[2], y.shape[2])
    for n in range(x.shape[0]):
        resize_rows[Pixel](&x[n, 0, 0, 0], &y[n, 0, 0, 0], taps, taps + y.shape[1],
                           x.shape[2], y.shape[1], y.shape[2], x.shape[3])


def resize_bilinear(images, Py_ssize_t height, Py_ssize_t width):
    """Resize a batch of images; see _resize.pyi."""
    x = np.asarray(images)
    if x.ndim not in (3, 4):
        raise ValueError(f"resize_bilinear: images have shape {x.shape}, expected (n, h, w) or (n, h, w, c)")
    if x.dtype != np.uint8 and x.dtype != np.float32:
        raise TypeError(f"resize_bilinear: images are {x.dtype}, expected uint8 or float32")
    if height < 1 or width < 1:
        raise ValueError(f"resize_bilinear: size is ({height}, {width}), expected at least (1, 1)")
    if x.shape[1] == 0 or x.shape[2] == 0:
        raise ValueError(f"resize_bilinear: images have shape {x.shape}: there is no pixel to read")
    cdef int rank = x.ndim
    x = np.ascontiguousarray(x if rank == 4 else x[..., None])
    y = np.empty((x.shape[0], height, width, x.shape[3]), np.float32)
    if y.size:
        fill(x, y)
    return y if rank == 4 else y[..., 0]


cdef fill(x, y):
    cdef float[:, :, :, ::1] target = y
    cdef const unsigned char[:, :, :, ::1] bytes_in
    cdef const float[:, :, :, ::1] floats_in
    cdef Tap* taps = <Tap*>malloc((target.shape[1] + target.shape[2]) * sizeof(Tap))
    if taps == NULL:
        raise MemoryError()
    try:
        if x.dtype == np.uint8:
            bytes_in = x
            with nogil:
                resize_batch(bytes_in, target, taps)
        else:
            floats_in = x
            with nogil:
                resize_batch(floats_in, target, taps)
    finally:
        free(taps)
