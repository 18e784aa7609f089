// Stochastic pooling of channels-last images, vectorised over channels. Elements that are not positive count as 0.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/columns.h"
#include "backend/cpu/generic/pool.h"
#include "backend/cpu/generic/random_words.h"
#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// Calls take(x's positive part, vector, tap) for the pixels of a window whose first one lies at `first`. NaN stays.
template <class V, class Columns, class F>
inline void for_positive_taps(const Pooling& p, const PoolWindow& window, Columns columns, const typename V::T* first,
                              F take) {
  const int64_t tap_row = max_pixels_of_window(p.w);
  for (int64_t h = 0; h < window.rows.end - window.rows.begin; ++h, first += p.w.in * p.channels) {
    const typename V::T* tap = first;
    for (int64_t w = 0; w < window.cols.end - window.cols.begin; ++w, tap += p.channels)
      for (int i = 0; i < columns.vectors; ++i) take(max(V{}, columns.load(tap, i)), i, h * tap_row + w);
  }
}

template <class V, class Index>
void stochastic_pool2d(const Pooling& p, const RandomWords& random, const typename V::T* x, int64_t pixel_begin,
                       int64_t pixel_end, typename V::T* y, Index* index) {
  using T = typename V::T;
  using Lanes = Taps<V, Index>;
  const auto none = Lanes::broadcast(pool_taps(p));
  UniformNumbers<V> uniform(random);
  for_windows<V>(p, x, pixel_begin, pixel_end, [&](const PoolWindow& window, const T* first, int64_t pixel) {
    for_column_blocks<V>(p.channels, [&](auto columns, int64_t c) {
      constexpr int n = columns.vectors;
      const int64_t at = pixel * p.channels + c;
      V share[n] = {}, before[n] = {}, drawn[n];
      typename Lanes::Raw which[n];
      for_positive_taps<V>(p, window, columns, first + c, [&](V v, int i, int64_t) { share[i] = share[i] + v; });
      for (int i = 0; i < n; ++i) {
        drawn[i] = {share[i].raw != share[i].raw ? share[i].raw : V{}.raw};
        which[i] = none;
        share[i] = share[i] * uniform.from(at + i * V::size);
      }
      // The last positive element before which no more than the share lies, so that there is one for any rounding.
      for_positive_taps<V>(p, window, columns, first + c, [&](V v, int i, int64_t tap) {
        const auto reached = (v.raw > V{}.raw) & (before[i].raw <= share[i].raw);
        drawn[i] = {reached ? v.raw : drawn[i].raw};
        which[i] = reached ? Lanes::broadcast(tap) : which[i];
        before[i] = before[i] + v;
      });
      for (int i = 0; i < n; ++i) {
        columns.store(drawn[i], y + at, i);
        if (index != nullptr) Lanes::store(which[i], index + at + i * V::size, columns.lanes());
      }
    });
  });
}

template <class V>
void weighted_pool2d(const Pooling& p, const typename V::T* x, int64_t pixel_begin, int64_t pixel_end,
                     typename V::T* y) {
  using T = typename V::T;
  for_windows<V>(p, x, pixel_begin, pixel_end, [&](const PoolWindow& window, const T* first, int64_t pixel) {
    cover_column_blocks<V>(p.channels, [&](auto columns, int64_t c) {
      V sum[columns.vectors] = {}, squares[columns.vectors] = {};
      for_positive_taps<V>(p, window, columns, first + c, [&](V v, int i, int64_t) {
        sum[i] = sum[i] + v;
        squares[i] = squares[i] + v * v;
      });
      for (int i = 0; i < columns.vectors; ++i) {
        const V mean = squares[i] / sum[i];
        columns.store({sum[i].raw == V{}.raw ? sum[i].raw : mean.raw}, y + pixel * p.channels + c, i);
      }
    });
  });
}

}  // namespace fastcnn::generic
