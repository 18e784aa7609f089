// Response and contrast normalisation within a map: sums over square windows of channels-last images, one row of
// them at a time, and what is divided by their powers.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/power.h"
#include "backend/cpu/generic/runs.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// Rows are added up first, into a row between zeros, and then the columns of the windows.
template <class V>
void box_sums(const BoxRow<typename V::T>& row, bool squares, typename V::T* padded, typename V::T* sums) {
  const int64_t n = row.pixels * row.channels;
  typename V::T* column_sums = padded + row.before * row.channels;
  zero_run<V>(padded, row.before * row.channels);
  zero_run<V>(column_sums + n, row.after * row.channels);
  for (int64_t i = 0; i < n; i += V::size) {
    V sum{};
    for (int64_t r = 0; r < row.rows; ++r) {
      const V v = load_upto<V>(row.x + r * n + i, n - i);
      sum = squares ? sum + v * v : sum + v;
    }
    store_upto(sum, column_sums + i, n - i);
  }
  const int64_t columns = row.before + 1 + row.after;
  for (int64_t i = 0; i < n; i += V::size) {
    V sum{};
    for (int64_t d = 0; d < columns; ++d) sum = sum + load_upto<V>(padded + i + d * row.channels, n - i);
    store_upto(sum, sums + i, n - i);
  }
}

template <class V>
void response_norm(const ResponseNorm& p, const typename V::T* sums, const typename V::T* x, typename V::T* y,
                   int64_t n) {
  using T = typename V::T;
  const V k = V::broadcast(static_cast<T>(p.k)), scale = V::broadcast(static_cast<T>(p.scale));
  with_power<V>(p.beta, [&](auto power) {
    map<V>(sums, x, y, n, [&](V sum, V v) { return v * power(k + scale * sum); });
  });
}

template <class V>
void response_norm_gradient(const ResponseNorm& p, const typename V::T* sums, const typename V::T* x,
                            const typename V::T* dy, typename V::T* direct, typename V::T* term, int64_t n) {
  using T = typename V::T;
  const V k = V::broadcast(static_cast<T>(p.k)), scale = V::broadcast(static_cast<T>(p.scale));
  with_power<V>(p.beta, [&](auto power) {
    for (int64_t i = 0; i < n; i += V::size) {
      const int64_t count = n - i;
      const V s = k + scale * load_upto<V>(sums + i, count);
      const V d = load_upto<V>(dy + i, count) * power(s);
      store_upto(d * load_upto<V>(x + i, count) / s, term + i, count);
      store_upto(d, direct + i, count);
    }
  });
}

}  // namespace fastcnn::generic
