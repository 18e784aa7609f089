// Columns of a convolution: one row per output pixel, holding its window as (kernel row, kernel column,
// channel), so that the convolution is a matrix product. And back: adding columns onto the image.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/runs.h"
#include "backend/cpu/generic/windows.h"
#include "ops/windows.h"

namespace fastcnn::generic {

// One kernel row of one window: `taps` taps from column `start` on of the image row `row` (null: outside).
// Returns where the next taps go.
template <class V>
inline typename V::T* gather_taps(const Windows2d& g, int64_t pixel_stride, int64_t channels,
                                  const typename V::T* row, int64_t start, int64_t taps, typename V::T* col) {
  if (row == nullptr) {
    zero_run<V>(col, taps * channels);
    return col + taps * channels;
  }
  const TapRange<V> inside(start, taps, g.dilation_w, 0, g.w_in);
  zero_run<V>(col, inside.begin * channels);
  const typename V::T* source = row + (start + inside.begin * g.dilation_w) * pixel_stride;
  typename V::T* target = col + inside.begin * channels;
  if (g.dilation_w == 1 && channels == pixel_stride) {
    copy_run<V>(source, target, inside.count() * channels);
  } else {
    for (int64_t tap = inside.begin; tap < inside.end; ++tap) {
      copy_run<V>(source, target, channels);
      source += g.dilation_w * pixel_stride;
      target += channels;
    }
  }
  zero_run<V>(col + inside.end * channels, (taps - inside.end) * channels);
  return col + taps * channels;
}

// All taps [tap_begin, tap_end) of one window.
template <class V>
inline typename V::T* gather_window(const Windows2d& g, int64_t pixel_stride, int64_t channels,
                                    const typename V::T* image, int64_t h_start, int64_t w_start,
                                    int64_t tap_begin, int64_t tap_end, typename V::T* col) {
  int64_t h = h_start + tap_begin / g.k_w * g.dilation_h;
  int64_t kw = tap_begin % g.k_w;
  for (int64_t left = tap_end - tap_begin; left > 0; h += g.dilation_h, kw = 0) {
    const int64_t taps = left < g.k_w - kw ? left : g.k_w - kw;
    const typename V::T* row = h >= 0 && h < g.h_in ? image + h * g.w_in * pixel_stride : nullptr;
    col = gather_taps<V>(g, pixel_stride, channels, row, w_start + kw * g.dilation_w, taps, col);
    left -= taps;
  }
  return col;
}

template <class V>
void im2col(const Windows2d& g, int64_t pixel_stride, int64_t channels, const typename V::T* x,
            int64_t pixel_begin, int64_t pixel_end, int64_t tap_begin, int64_t tap_end, typename V::T* col) {
  const int64_t row_stride = g.w_in * pixel_stride;
  // Windows inside of the image whose kernel rows are runs of memory: the common case, and short where
  // there are few channels.
  const bool whole_runs =
      g.dilation_w == 1 && channels == pixel_stride && tap_begin % g.k_w == 0 && tap_end % g.k_w == 0;
  const int64_t kh_begin = tap_begin / g.k_w;
  const int64_t kh_end = tap_end / g.k_w;
  const int64_t run = g.k_w * channels;
  PixelCursor<V> at(g, pixel_begin);
  for (int64_t pixel = pixel_begin; pixel < pixel_end; ++pixel, at.advance(g)) {
    const typename V::T* image = x + at.image * g.h_in * row_stride;
    const int64_t h_start = at.row * g.stride_h - g.pad_h;
    const int64_t w_start = at.col * g.stride_w - g.pad_w;
    const bool inside = h_start >= 0 && h_start + (g.k_h - 1) * g.dilation_h < g.h_in && w_start >= 0 &&
                        w_start + g.k_w <= g.w_in;
    if (!whole_runs || !inside) {
      col = gather_window<V>(g, pixel_stride, channels, image, h_start, w_start, tap_begin, tap_end, col);
      continue;
    }
    const typename V::T* corner = image + h_start * row_stride + w_start * pixel_stride;
    for (int64_t kh = kh_begin; kh < kh_end; ++kh, col += run) {
      copy_run<V>(corner + kh * g.dilation_h * row_stride, col, run);
    }
  }
}

template <class V>
void col2im_add(const Windows2d& g, int64_t pixel_stride, int64_t channels, const typename V::T* col,
                int64_t pixel_begin, int64_t pixel_end, int64_t row_begin, int64_t row_end,
                typename V::T* dx) {
  const int64_t row_stride = g.w_in * pixel_stride;
  PixelCursor<V> at(g, pixel_begin);
  for (int64_t pixel = pixel_begin; pixel < pixel_end;
       ++pixel, at.advance(g), col += g.k_h * g.k_w * channels) {
    const WindowInImage<V> window(g, at.row, at.col, row_begin, row_end);
    const TapRange<V> cols = window.cols;
    const bool contiguous = g.dilation_w == 1 && channels == pixel_stride;
    for (int64_t kh = window.rows.begin; kh < window.rows.end; ++kh) {
      const typename V::T* source = col + (kh * g.k_w + cols.begin) * channels;
      typename V::T* target = dx + (at.image * g.h_in + window.h_start + kh * g.dilation_h) * row_stride +
                              (window.w_start + cols.begin * g.dilation_w) * pixel_stride;
      if (contiguous) {
        add_run<V>(source, target, cols.count() * channels);
        continue;
      }
      for (int64_t kw = cols.begin; kw < cols.end; ++kw) {
        add_run<V>(source, target, channels);
        source += channels;
        target += g.dilation_w * pixel_stride;
      }
    }
  }
}

}  // namespace fastcnn::generic
