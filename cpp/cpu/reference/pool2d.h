// Pooling by its definition: the oracle of the tests.
#pragma once

#include <cmath>
#include <cstdint>

#include "cpu/windows.h"

namespace fastcnn::reference {

// Calls f(image, oh, ow).
template <class F>
void for_each_window(const Windows2d& g, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t oh = 0; oh < g.h_out; ++oh)
      for (std::int64_t ow = 0; ow < g.w_out; ++ow) f(i, oh, ow);
}

// Calls f(ih, iw) for the pixels of the window that lie in the image.
template <class F>
void for_each_pixel(const Windows2d& g, std::int64_t oh, std::int64_t ow, F f) {
  for (std::int64_t kh = 0; kh < g.k_h; ++kh)
    for (std::int64_t kw = 0; kw < g.k_w; ++kw) {
      const std::int64_t ih = oh * g.stride_h - g.pad_h + kh;
      const std::int64_t iw = ow * g.stride_w - g.pad_w + kw;
      if (ih >= 0 && ih < g.h_in && iw >= 0 && iw < g.w_in) f(ih, iw);
    }
}

// x, dx (n, h_in, w_in, channels); y, dy (n, h_out, w_out, channels). dx is added to.
template <class T>
void max_pool2d(const Windows2d& g, std::int64_t n, std::int64_t channels, const T* x, T* y, const T* dy,
                T* dx) {
  for_each_window(g, n, [&](std::int64_t i, std::int64_t oh, std::int64_t ow) {
    for (std::int64_t c = 0; c < channels; ++c) {
      std::int64_t winner = -1;
      for_each_pixel(g, oh, ow, [&](std::int64_t ih, std::int64_t iw) {
        const std::int64_t at = ((i * g.h_in + ih) * g.w_in + iw) * channels + c;
        if (winner < 0 || x[at] > x[winner] || std::isnan(x[at])) winner = at;
      });
      const std::int64_t out = ((i * g.h_out + oh) * g.w_out + ow) * channels + c;
      y[out] = x[winner];
      dx[winner] += dy[out];
    }
  });
}

template <class T>
void avg_pool2d(const Windows2d& g, std::int64_t n, std::int64_t channels, bool count_include_pad, const T* x,
                T* y, const T* dy, T* dx) {
  for_each_window(g, n, [&](std::int64_t i, std::int64_t oh, std::int64_t ow) {
    std::int64_t count = 0;
    for (std::int64_t kh = 0; kh < g.k_h; ++kh)
      for (std::int64_t kw = 0; kw < g.k_w; ++kw) {
        const std::int64_t ih = oh * g.stride_h - g.pad_h + kh;
        const std::int64_t iw = ow * g.stride_w - g.pad_w + kw;
        const std::int64_t rim_h = count_include_pad ? g.pad_h : 0;
        const std::int64_t rim_w = count_include_pad ? g.pad_w : 0;
        if (ih >= -rim_h && ih < g.h_in + rim_h && iw >= -rim_w && iw < g.w_in + rim_w) ++count;
      }
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t out = ((i * g.h_out + oh) * g.w_out + ow) * channels + c;
      T sum = 0;
      for_each_pixel(g, oh, ow, [&](std::int64_t ih, std::int64_t iw) {
        const std::int64_t at = ((i * g.h_in + ih) * g.w_in + iw) * channels + c;
        sum += x[at];
        dx[at] += dy[out] / static_cast<T>(count);
      });
      y[out] = sum / static_cast<T>(count);
    }
  });
}

}  // namespace fastcnn::reference
