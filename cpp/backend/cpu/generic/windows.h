// What the kernels over windows (im2col, pooling) share: which taps of a window lie in the image, and
// walking over output pixels.
#pragma once

#include <stdint.h>

#include "ops/windows.h"

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

  int64_t count() const { return end - begin; }

 private:
  static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
  static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
};

// The window of an output pixel, less the taps outside of the image or of its rows [row_begin, row_end).
template <class V>
struct WindowInImage {
  int64_t h_start, w_start;  // of tap 0, perhaps outside
  TapRange<V> rows, cols;

  WindowInImage(const Windows2d& g, int64_t row, int64_t col, int64_t row_begin, int64_t row_end)
      : h_start(row * g.stride_h - g.pad_h),
        w_start(col * g.stride_w - g.pad_w),
        rows(h_start, g.k_h, g.dilation_h, row_begin, row_end),
        cols(w_start, g.k_w, g.dilation_w, 0, g.w_in) {}

  // Calls body(tap, position in the image) in row-major order.
  template <class F>
  void for_taps(const Windows2d& g, F body) const {
    for (int64_t kh = rows.begin; kh < rows.end; ++kh) {
      const int64_t row_position = (h_start + kh * g.dilation_h) * g.w_in + w_start;
      for (int64_t kw = cols.begin; kw < cols.end; ++kw)
        body(kh * g.k_w + kw, row_position + kw * g.dilation_w);
    }
  }
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
