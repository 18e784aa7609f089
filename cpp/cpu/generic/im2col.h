// Columns of a convolution: one row per output pixel, holding its window as (kernel row, kernel column,
// channel), so that the convolution is a matrix product. And back: adding columns onto the image.
#pragma once

#include <stdint.h>
#include <string.h>

#include "cpu/generic/vec.h"
#include "cpu/generic/windows.h"
#include "cpu/windows.h"

namespace fastcnn::generic {

// n < 2 * size elements by at most two moves of a fixed size, which may overlap.
template <class V, int size>
inline void copy_few(const typename V::T* source, typename V::T* target, int64_t n) {
  if constexpr (size == 0) {
    return;
  } else {
    if (n < size) return copy_few<V, size / 2>(source, target, n);
    memcpy(target, source, size * sizeof(*source));
    memcpy(target + n - size, source + n - size, size * sizeof(*source));
  }
}

template <class V>
inline void copy_run(const typename V::T* source, typename V::T* target, int64_t n) {
  if (n < V::size) return copy_few<V, V::size / 2>(source, target, n);
  for (int64_t i = 0; i + V::size <= n; i += V::size) V::load(source + i).store(target + i);
  V::load(source + n - V::size).store(target + n - V::size);
}

template <class V>
inline void add_run(const typename V::T* source, typename V::T* target, int64_t n) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) (V::load(target + i) + V::load(source + i)).store(target + i);
  for (; i < n; ++i) target[i] += source[i];
}

template <class V>
inline void zero_run(typename V::T* target, int64_t n) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) V{}.store(target + i);
  for (; i < n; ++i) target[i] = 0;
}

// One kernel row of one window: `taps` taps from column `start` on of the image row `row` (null: outside).
// Returns where the next taps go.
template <class V>
inline typename V::T* gather_taps(const Windows2d& g, int64_t pixel_stride, int64_t channels, const typename V::T* row,
                                  int64_t start, int64_t taps, typename V::T* col) {
  if (row == nullptr) {
    zero_run<V>(col, taps * channels);
    return col + taps * channels;
  }
  const TapRange<V> inside(start, taps, g.dilation_w, 0, g.w_in);
  zero_run<V>(col, inside.begin * channels);
  const typename V::T* source = row + (start + inside.begin * g.dilation_w) * pixel_stride;
  typename V::T* target = col + inside.begin * channels;
  if (g.dilation_w == 1 && channels == pixel_stride) {
    copy_run<V>(source, target, (inside.end - inside.begin) * channels);
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

template <class V>
void im2col(const Windows2d& g, int64_t pixel_stride, int64_t channels, const typename V::T* x, int64_t pixel_begin,
            int64_t pixel_end, int64_t tap_begin, int64_t tap_end, typename V::T* col) {
  const int64_t row_stride = g.w_in * pixel_stride;
  const int64_t kh_begin = tap_begin / g.k_w;
  const int64_t kw_begin = tap_begin % g.k_w;
  PixelCursor<V> at(g, pixel_begin);
  for (int64_t pixel = pixel_begin; pixel < pixel_end; ++pixel, at.advance(g)) {
    const typename V::T* image = x + at.image * g.h_in * row_stride;
    const int64_t w_start = at.col * g.stride_w - g.pad_w;
    int64_t h = at.row * g.stride_h - g.pad_h + kh_begin * g.dilation_h;
    int64_t kw = kw_begin;
    for (int64_t left = tap_end - tap_begin; left > 0; h += g.dilation_h, kw = 0) {
      const int64_t taps = left < g.k_w - kw ? left : g.k_w - kw;
      const typename V::T* row = h >= 0 && h < g.h_in ? image + h * row_stride : nullptr;
      col = gather_taps<V>(g, pixel_stride, channels, row, w_start + kw * g.dilation_w, taps, col);
      left -= taps;
    }
  }
}

template <class V>
void col2im_add(const Windows2d& g, int64_t pixel_stride, int64_t channels, const typename V::T* col,
                int64_t pixel_begin, int64_t pixel_end, int64_t row_begin, int64_t row_end, typename V::T* dx) {
  const int64_t row_stride = g.w_in * pixel_stride;
  PixelCursor<V> at(g, pixel_begin);
  for (int64_t pixel = pixel_begin; pixel < pixel_end; ++pixel, at.advance(g), col += g.k_h * g.k_w * channels) {
    const int64_t h_start = at.row * g.stride_h - g.pad_h;
    const int64_t w_start = at.col * g.stride_w - g.pad_w;
    const TapRange<V> rows(h_start, g.k_h, g.dilation_h, row_begin, row_end);
    const TapRange<V> cols(w_start, g.k_w, g.dilation_w, 0, g.w_in);
    const bool contiguous = g.dilation_w == 1 && channels == pixel_stride;
    for (int64_t kh = rows.begin; kh < rows.end; ++kh) {
      const typename V::T* source = col + (kh * g.k_w + cols.begin) * channels;
      typename V::T* target = dx + (at.image * g.h_in + h_start + kh * g.dilation_h) * row_stride +
                              (w_start + cols.begin * g.dilation_w) * pixel_stride;
      if (contiguous) {
        add_run<V>(source, target, (cols.end - cols.begin) * channels);
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
