// Softmax over contiguous rows, alone and with what cross-entropies need. Rows are shifted by their largest
// element, so that e^x never overflows.
#pragma once

#include <math.h>
#include <stdint.h>

#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/math.h"
#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// cols >= 1.
template <class V>
inline typename V::T row_max(const typename V::T* x, int64_t cols) {
  typename V::T largest = x[0];
  int64_t j = 0;
  if (cols >= V::size) {
    V m = V::load(x);
    for (j = V::size; j + V::size <= cols; j += V::size) m = max(V::load(x + j), m);
    for (int i = 0; i < V::size; ++i) largest = m.raw[i] > largest ? m.raw[i] : largest;
  }
  for (; j < cols; ++j) largest = x[j] > largest ? x[j] : largest;
  return largest;
}

// y[j] = e^(x[j] - shift), unless y is null; returns their sum.
template <class V>
inline typename V::T exp_row(const typename V::T* x, typename V::T shift, typename V::T* y, int64_t cols) {
  const V s = V::broadcast(shift);
  V sum{};
  int64_t j = 0;
  for (; j + V::size <= cols; j += V::size) {
    const V e = exp(V::load(x + j) - s);
    if (y) e.store(y + j);
    sum = sum + e;
  }
  if (j == cols) return sum_lanes(sum);
  const V e = exp(V::load_partial(x + j, cols - j) - s);
  if (y) e.store_partial(y + j, cols - j);
  return sum_lanes(sum) + sum_lanes(e, cols - j);
}

template <class V>
inline void scale_row(typename V::T* y, typename V::T factor, int64_t cols) {
  map<V>(y, y, cols, [factor](V v) { return v * V::broadcast(factor); });
}

template <class V>
void softmax(const typename V::T* x, typename V::T* y, int64_t rows, int64_t cols) {
  for (; rows > 0; --rows, x += cols, y += cols) {
    const typename V::T sum = exp_row<V>(x, row_max<V>(x, cols), y, cols);
    scale_row<V>(y, 1 / sum, cols);
  }
}

template <class V>
void softmax_gradient(const typename V::T* y, const typename V::T* dy, typename V::T* dx, int64_t rows, int64_t cols) {
  using T = typename V::T;
  for (; rows > 0; --rows, y += cols, dy += cols, dx += cols) {
    V dot{};
    int64_t j = 0;
    for (; j + V::size <= cols; j += V::size) dot = dot + V::load(y + j) * V::load(dy + j);
    T total = sum_lanes(dot);
    for (; j < cols; ++j) total += y[j] * dy[j];
    map<V>(y, dy, dx, cols, [total](V p, V d) { return p * (d - V::broadcast(total)); });
  }
}

template <class V>
void log_softmax_rows(const typename V::T* x, typename V::T* probabilities, typename V::T* largest,
                      typename V::T* log_sum, int64_t rows, int64_t cols) {
  using T = typename V::T;
  for (int64_t i = 0; i < rows; ++i, x += cols) {
    largest[i] = row_max<V>(x, cols);
    T* p = probabilities ? probabilities + i * cols : nullptr;
    const T sum = exp_row<V>(x, largest[i], p, cols);
    if (p) scale_row<V>(p, 1 / sum, cols);
    log_sum[i] = static_cast<T>(::log(static_cast<double>(sum)));
  }
}

}  // namespace fastcnn::generic
