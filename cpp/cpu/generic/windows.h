// What the kernels over windows (im2col, pooling) share: which taps of a window lie in the image, and
// walking over output pixels.
#pragma once

#include <stdint.h>

#include "cpu/windows.h"

namespace fastcnn::generic {

// The taps [begin, end) of `taps` whose position start + tap * dilation lies in [low, high).
template <class V>
struct TapRange {
  int64_t begin, end;

  TapRange(int64_t start, int64_t taps, int64_t dilation, int64_t low, int64_t high) : begin(0), end(taps) {
    if (start < low) begin = min((low - start + dilation - 1) / dilation, taps);
    if (start + (taps - 1) * dilation >= high) {
      end = start >= high ? begin : max((high - start + dilation - 1) / dilation, begin);
    }
  }

 private:
  static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
  static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
};

// Output pixel number `pixel` of the batch, row by row, image by image.
template <class V>
struct PixelCursor {
  int64_t image, row, col;

  PixelCursor(const Windows2d& g, int64_t pixel)
      : image(pixel / (g.h_out * g.w_out)), row(pixel / g.w_out % g.h_out), col(pixel % g.w_out) {}
  void advance(const Windows2d& g) {
    if (++col < g.w_out) return;
    col = 0;
    if (++row < g.h_out) return;
    row = 0;
    ++image;
  }
};

}  // namespace fastcnn::generic
