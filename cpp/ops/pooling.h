// The windows of pooling. C headers only: ISA files include this.
#pragma once

#include <stdint.h>

namespace fastcnn {

// [begin, end), of pixels or windows.
struct PoolSpan {
  int64_t begin, end;
};

// Windows along one axis. Window o holds the pixels [start + o stride, start + o stride + kernel), as far as they
// are in the image; the padding ends before padded_end. Adaptive ones, which have kernel 0, share out the pixels
// instead: window o holds [floor(o in / out), ceil((o + 1) in / out)), so that sizes may differ by one and
// neighbours overlap.
struct PoolAxis {
  int64_t in, out;
  int64_t kernel, stride, start, padded_end;
};

// What becomes of a window.
enum class PoolKind : uint8_t {
  max,
  max_abs,          // the element of the largest magnitude, with its sign
  average,          // divides by the window's size, less what lies beyond the padding
  clipped_average,  // divides by the window's pixels in the image
  sum,
  stochastic,       // an element drawn with a probability in proportion to it, or their mean by these probabilities
};

struct Pooling {
  PoolAxis h, w;
  int64_t channels;
  PoolKind kind;
};

// Number row, col of its image, and its pixels.
struct PoolWindow {
  int64_t row, col;
  PoolSpan rows, cols;
};

// Elements past the end of the taps that forward saves which the gradient may read, as many as vectors have lanes.
constexpr int64_t pool_index_slack = 16;

// Static functions: each file keeps its own copy, so that none compiled for a newer CPU serves an older one.

// Both ends grow with the number of the window; every window holds a pixel.
static inline PoolSpan pixels_of_window(const PoolAxis& axis, int64_t o) {
  if (axis.kernel == 0) return {o * axis.in / axis.out, ((o + 1) * axis.in + axis.out - 1) / axis.out};
  const int64_t begin = axis.start + o * axis.stride;
  const int64_t end = begin + axis.kernel;
  return {begin < 0 ? 0 : begin, end < axis.in ? end : axis.in};
}

static inline int64_t max_pixels_of_window(const PoolAxis& axis) {
  if (axis.kernel > 0) return axis.kernel;
  const int64_t most = (axis.in + axis.out - 1) / axis.out + 1;
  return most < axis.in ? most : axis.in;
}

// One more than the largest number that a tap can have.
static inline int64_t pool_taps(const Pooling& p) { return max_pixels_of_window(p.h) * max_pixels_of_window(p.w); }

// The windows that hold a pixel, perhaps none, from those of a pixel before it, or {0, 0}.
static inline PoolSpan windows_of_pixel(const PoolAxis& axis, int64_t pixel, PoolSpan windows) {
  while (windows.end < axis.out && pixels_of_window(axis, windows.end).begin <= pixel) ++windows.end;
  while (windows.begin < windows.end && pixels_of_window(axis, windows.begin).end <= pixel) ++windows.begin;
  return windows;
}

// A bound for the windows that hold one of `pixels` neighbouring pixels.
static inline int64_t max_windows_of_pixels(const PoolAxis& axis, int64_t pixels) {
  const int64_t most = axis.kernel == 0 ? (pixels * axis.out + axis.in - 1) / axis.in + 1
                                        : (pixels + axis.kernel - 2) / axis.stride + 1;
  return most < axis.out ? most : axis.out;
}

// The divisor of the average of window (row, col).
static inline int64_t divisor_of_window(const Pooling& p, int64_t row, int64_t col) {
  if (p.kind == PoolKind::sum) return 1;
  const auto extent = [&p](const PoolAxis& axis, int64_t o) {
    const PoolSpan pixels = pixels_of_window(axis, o);
    if (axis.kernel == 0 || p.kind == PoolKind::clipped_average) return pixels.end - pixels.begin;
    const int64_t rest = axis.padded_end - (axis.start + o * axis.stride);
    return axis.kernel < rest ? axis.kernel : rest;
  };
  return extent(p.h, row) * extent(p.w, col);
}

}  // namespace fastcnn
