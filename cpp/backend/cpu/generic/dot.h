// c = alpha a b^T + beta c for a handful of rows of a: every row of b is read once, in place, and its
// products are summed lane by lane. Where a has few rows, packing b would cost more than the arithmetic.
#pragma once

#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// By halves: a tree, so few steps follow one another.
template <class V>
inline typename V::T sum_of_lanes(V v) {
  typename V::T lanes[V::size];
  v.store(lanes);
#pragma GCC unroll 4
  for (int half = V::size / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

template <class V>
using DotKernel = void (*)(int64_t k, typename V::T alpha, const typename V::T* a, int64_t lda,
                           const typename V::T* b, int64_t ldb, typename V::T beta, typename V::T* c, int64_t ldc);

// Rows x Cols elements of c.
template <class V, int Cols, int Rows>
void dot_tile(int64_t k, typename V::T alpha, const typename V::T* a, int64_t lda, const typename V::T* b,
              int64_t ldb, typename V::T beta, typename V::T* c, int64_t ldc) {
  V sum[Rows][Cols] = {};
  const auto add_products = [&](auto load) {
    V y[Cols];
#pragma GCC unroll 4
    for (int j = 0; j < Cols; ++j) y[j] = load(b + j * ldb);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const V x = load(a + i * lda);
#pragma GCC unroll 4
      for (int j = 0; j < Cols; ++j) sum[i][j] = sum[i][j] + x * y[j];
    }
  };
  int64_t p = 0;
  for (; p + V::size <= k; p += V::size) {
    add_products([p](const typename V::T* line) { return V::load(line + p); });
  }
  if (p < k) {
    add_products([p, k](const typename V::T* line) { return V::load_partial(line + p, k - p); });
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Cols; ++j) {
      typename V::T* y = c + i * ldc + j;
      const typename V::T value = alpha * sum_of_lanes(sum[i][j]);
      *y = beta == 0 ? value : value + beta * *y;
    }
  }
}

template <class V, int Cols, int Rows = V::Isa::dot_rows>
inline DotKernel<V> dot_tile_for(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return dot_tile_for<V, Cols, Rows - 1>(rows);
  }
  return dot_tile<V, Cols, Rows>;
}

template <class V>
void multiply_few_rows(int64_t m, int64_t n, int64_t k, typename V::T alpha, const typename V::T* a, int64_t lda,
                       const typename V::T* b, int64_t ldb, typename V::T beta, typename V::T* c, int64_t ldc) {
  constexpr int64_t dot_rows = V::Isa::dot_rows;
  const int64_t groups = (m + dot_rows - 1) / dot_rows;
  const int64_t group_rows = (m + groups - 1) / groups;
  const auto multiply_column_group = [&]<int Cols>(int64_t j) {
    for (int64_t i = 0; i < m; i += group_rows) {
      const int64_t rows = m - i < group_rows ? m - i : group_rows;
      dot_tile_for<V, Cols>(rows)(k, alpha, a + i * lda, lda, b + j * ldb, ldb, beta, c + i * ldc + j, ldc);
    }
  };
  constexpr int cols = V::Isa::dot_cols;
  int64_t j = 0;
  for (; j + cols <= n; j += cols) multiply_column_group.template operator()<cols>(j);
  for (; j < n; ++j) multiply_column_group.template operator()<1>(j);
}

}  // namespace fastcnn::generic
