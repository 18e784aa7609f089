// Layer normalisation of one row of contiguous elements (Ba, Kiros and Hinton 2016), which is read again and again
// while it is in the nearest cache.
#pragma once

#include <math.h>
#include <stdint.h>

#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/runs.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// Sum of term(i, count), the terms of `count` elements or more from i on, over n elements. Long sums are made of short
// ones, so that their rounding stays small.
template <class V, class F>
inline double sum_terms(int64_t n, F term) {
  constexpr int64_t piece = 64 * V::size;
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += piece) {
    const int64_t end = n - begin < piece ? n : begin + piece;
    V sums[4] = {};
    int64_t i = begin;
    for (; i + 4 * V::size <= end; i += 4 * V::size)
      for (int k = 0; k < 4; ++k) sums[k] = sums[k] + term(i + k * V::size, int64_t{V::size});
    for (; i + V::size <= end; i += V::size) sums[0] = sums[0] + term(i, int64_t{V::size});
    sum += static_cast<double>(sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])));
    if (i < end) sum += static_cast<double>(sum_lanes(term(i, end - i), end - i));
  }
  return sum;
}

template <class V>
void row_statistics(const typename V::T* x, int64_t n, typename V::T* mean, typename V::T* variance) {
  using T = typename V::T;
  const auto count = static_cast<double>(n);
  *mean = static_cast<T>(sum_terms<V>(n, [x](int64_t i, int64_t left) { return load_upto<V>(x + i, left); }) / count);
  const V middle = V::broadcast(*mean);
  const double squares = sum_terms<V>(n, [x, middle](int64_t i, int64_t left) {
    const V d = load_upto<V>(x + i, left) - middle;
    return d * d;
  });
  *variance = static_cast<T>(squares / count);
}

template <class V>
void layer_norm(const LayerNormRow<typename V::T>& row, typename V::T* y) {
  const V mean = V::broadcast(row.mean), inverse = V::broadcast(row.inverse);
  for (int64_t i = 0; i < row.n; i += V::size) {
    const int64_t left = row.n - i;
    V v = (load_upto<V>(row.x + i, left) - mean) * inverse;
    if (row.gamma != nullptr) v = v * load_upto<V>(row.gamma + i, left);
    if (row.beta != nullptr) v = v + load_upto<V>(row.beta + i, left);
    store_upto(v, y + i, left);
  }
}

template <class V>
void layer_norm_gradient(const LayerNormRow<typename V::T>& row, const typename V::T* dy, typename V::T* dx,
                         typename V::T* dgamma, typename V::T* dbeta) {
  using T = typename V::T;
  const V mean = V::broadcast(row.mean), inverse = V::broadcast(row.inverse);
  const auto normalized = [&](int64_t i, int64_t left) { return (load_upto<V>(row.x + i, left) - mean) * inverse; };
  const auto weighted = [&](int64_t i, int64_t left) {
    const V d = load_upto<V>(dy + i, left);
    return row.gamma != nullptr ? d * load_upto<V>(row.gamma + i, left) : d;
  };
  const auto add = [](V v, T* p, int64_t left) { store_upto(load_upto<V>(p, left) + v, p, left); };
  for (int64_t i = 0; i < row.n; i += V::size) {
    const int64_t left = row.n - i;
    const V d = load_upto<V>(dy + i, left);
    if (dgamma != nullptr) add(d * normalized(i, left), dgamma + i, left);
    if (dbeta != nullptr) add(d, dbeta + i, left);
  }
  if (dx == nullptr) return;
  const double sum = sum_terms<V>(row.n, weighted);
  const double sum_x =
      sum_terms<V>(row.n, [&](int64_t i, int64_t left) { return weighted(i, left) * normalized(i, left); });
  const V offset = V::broadcast(static_cast<T>(sum / static_cast<double>(row.n)));
  const V slope = V::broadcast(static_cast<T>(sum_x / static_cast<double>(row.n)));
  for (int64_t i = 0; i < row.n; i += V::size) {
    const int64_t left = row.n - i;
    store_upto(inverse * (weighted(i, left) - offset - normalized(i, left) * slope), dx + i, left);
  }
}

}  // namespace fastcnn::generic
