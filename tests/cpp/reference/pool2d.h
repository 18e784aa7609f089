// Pooling by its definition: the oracle of the tests.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/random.h"
#include "ops/pooling.h"

namespace fastcnn::reference {

// x, dx (n, h.in, w.in, channels); y, dy (n, h.out, w.out, channels). Calls f(y's position, image, oh, ow, channel).
template <class F>
void for_each_window(const Pooling& p, std::int64_t n, F f) {
  std::int64_t out = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t oh = 0; oh < p.h.out; ++oh)
      for (std::int64_t ow = 0; ow < p.w.out; ++ow)
        for (std::int64_t c = 0; c < p.channels; ++c) f(out++, i, oh, ow, c);
}

// Calls f(pixel) for those of window o from first to before last, perhaps beyond the image.
template <class F>
void for_each_along(const PoolAxis& axis, std::int64_t o, std::int64_t first, std::int64_t last, F f) {
  std::int64_t begin = axis.start + o * axis.stride, end = begin + axis.kernel;
  if (axis.kernel == 0) {
    begin = o * axis.in / axis.out;
    for (end = begin + 1; end * axis.out < (o + 1) * axis.in;) ++end;
  }
  for (std::int64_t i = begin; i < end; ++i)
    if (i >= first && i < last) f(i);
}

// Calls f(position in x) for the pixels of the window that lie in the image.
template <class F>
void for_each_pixel(const Pooling& p, std::int64_t image, std::int64_t oh, std::int64_t ow, std::int64_t c, F f) {
  for_each_along(p.h, oh, 0, p.h.in, [&](std::int64_t ih) {
    for_each_along(p.w, ow, 0, p.w.in, [&](std::int64_t iw) {
      f(((image * p.h.in + ih) * p.w.in + iw) * p.channels + c);
    });
  });
}

// dx is added to.
template <class T>
void max_pool2d(const Pooling& p, std::int64_t n, const T* x, T* y, const T* dy, T* dx) {
  const auto rank = [&p](T v) { return p.kind == PoolKind::max_abs ? std::abs(v) : v; };
  for_each_window(p, n, [&](std::int64_t out, std::int64_t i, std::int64_t oh, std::int64_t ow, std::int64_t c) {
    std::int64_t winner = -1;
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) {
      if (winner < 0 || rank(x[at]) > rank(x[winner]) || std::isnan(x[at])) winner = at;
    });
    y[out] = x[winner];
    dx[winner] += dy[out];
  });
}

inline std::int64_t divisor(const PoolAxis& axis, std::int64_t o, PoolKind kind) {
  if (kind == PoolKind::sum) return 1;
  const bool padding_counts = kind == PoolKind::average && axis.kernel > 0;
  std::int64_t count = 0;
  for_each_along(axis, o, padding_counts ? axis.start : 0, padding_counts ? axis.padded_end : axis.in,
                 [&](std::int64_t) { ++count; });
  return count;
}

template <class T>
void avg_pool2d(const Pooling& p, std::int64_t n, const T* x, T* y, const T* dy, T* dx) {
  for_each_window(p, n, [&](std::int64_t out, std::int64_t i, std::int64_t oh, std::int64_t ow, std::int64_t c) {
    const auto count = static_cast<T>(divisor(p.h, oh, p.kind) * divisor(p.w, ow, p.kind));
    T sum = 0;
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) {
      sum += x[at];
      dx[at] += dy[out] / count;
    });
    y[out] = sum / count;
  });
}

// x's element of which a random share of the sum of the positive ones falls; dx is added to.
template <class T>
void stochastic_pool2d(const Pooling& p, const RandomState& random, std::uint64_t stream, std::int64_t n, const T* x,
                       T* y, const T* dy, T* dx) {
  for_each_window(p, n, [&](std::int64_t out, std::int64_t i, std::int64_t oh, std::int64_t ow, std::int64_t c) {
    T sum = 0, before = 0;
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) { sum += x[at] > 0 ? x[at] : 0; });
    const auto element = static_cast<std::uint64_t>(out);
    const std::uint32_t word = philox(random.seed, random.stream(stream), element / 4)[element % 4];
    const T share = sum * (static_cast<T>(word >> 8) / (1 << 24));
    std::int64_t drawn = -1;
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) {
      if (x[at] <= 0) return;
      if (before <= share) drawn = at;
      before += x[at];
    });
    y[out] = drawn < 0 ? 0 : x[drawn];
    if (drawn >= 0) dx[drawn] += dy[out];
  });
}

// The mean of what stochastic_pool2d gives; dx is added to.
template <class T>
void weighted_pool2d(const Pooling& p, std::int64_t n, const T* x, T* y, const T* dy, T* dx) {
  for_each_window(p, n, [&](std::int64_t out, std::int64_t i, std::int64_t oh, std::int64_t ow, std::int64_t c) {
    T sum = 0;
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) { sum += x[at] > 0 ? x[at] : 0; });
    y[out] = 0;
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) { y[out] += x[at] > 0 ? x[at] / sum * x[at] : 0; });
    for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) {
      if (x[at] > 0) dx[at] += dy[out] * (2 * x[at] - y[out]) / sum;
    });
  });
}

}  // namespace fastcnn::reference
