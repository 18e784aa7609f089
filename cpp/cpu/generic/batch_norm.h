// Batch normalisation of a matrix whose rows are pixels and whose columns are channels (Ioffe and Szegedy
// 2015, algorithms 1 and 2). A block of channels stays in registers while the rows go by.
#pragma once

#include <stdint.h>

#include "cpu/generic/columns.h"
#include "cpu/generic/elementwise.h"
#include "cpu/generic/vec.h"
#include "cpu/kernels.h"

namespace fastcnn::generic {

// Rows of a column block that stay in the first-level cache between two passes over them.
inline constexpr int64_t rows_in_cache = 128;

// Mean and squared distances of one block of rows after the other, each in two passes, merged as in Chan,
// Golub and LeVeque (1979), equation 1.5: nothing cancels, however far from 0 the mean is.
template <class V>
void moments(const typename V::T* x, int64_t rows, int64_t cols, typename V::T* mean, typename V::T* m2) {
  using T = typename V::T;
  for_column_blocks<V>(cols, [&](auto columns, int64_t j) {
    constexpr int count = decltype(columns)::vectors;
    V mean_so_far[count] = {}, m2_so_far[count] = {};
    for (int64_t row = 0; row < rows; row += rows_in_cache) {
      const int64_t n = rows - row < rows_in_cache ? rows - row : rows_in_cache;
      const T* block = x + row * cols + j;
      const T* end = block + n * cols;
      V block_mean[count] = {}, block_m2[count] = {};
      for (const T* p = block; p < end; p += cols)
        for (int i = 0; i < count; ++i) block_mean[i] = block_mean[i] + columns.load(p, i);
      for (int i = 0; i < count; ++i) block_mean[i] = block_mean[i] / V::broadcast(static_cast<T>(n));
      for (const T* p = block; p < end; p += cols)
        for (int i = 0; i < count; ++i) {
          const V d = columns.load(p, i) - block_mean[i];
          block_m2[i] = block_m2[i] + d * d;
        }
      const V share = V::broadcast(static_cast<T>(n) / static_cast<T>(row + n));
      for (int i = 0; i < count; ++i) {
        const V d = block_mean[i] - mean_so_far[i];
        mean_so_far[i] = mean_so_far[i] + share * d;
        m2_so_far[i] = m2_so_far[i] + (block_m2[i] + d * d * (share * V::broadcast(static_cast<T>(row))));
      }
    }
    for (int i = 0; i < count; ++i) {
      columns.store(mean_so_far[i], mean + j, i);
      columns.store(m2_so_far[i], m2 + j, i);
    }
  });
}

// Calls body(columns, first column, first element, end) for blocks of columns of a few rows after the other,
// so that memory is written nearly in order.
template <class V, class F>
inline void for_pieces(int64_t rows, int64_t cols, F body) {
  constexpr int64_t piece = 4096;
  const int64_t step = cols < piece / 8 ? piece / cols : 8;
  for (int64_t row = 0; row < rows; row += step) {
    const int64_t end = (rows - row < step ? rows : row + step) * cols;
    for_column_blocks<V>(cols, [&](auto columns, int64_t j) { body(columns, j, row * cols + j, end); });
  }
}

template <class V>
void batch_norm(const BatchNormBlock<typename V::T>& b) {
  const bool stream = b.stream && can_stream<V>(b.y, b.cols);
  with_activation<V>(b.f, [&](auto g) {
    for_pieces<V>(b.rows, b.cols, [&](auto columns, int64_t j, int64_t begin, int64_t end) {
      constexpr int count = decltype(columns)::vectors;
      V mean[count], scale[count], shift[count];
      for (int i = 0; i < count; ++i) {
        mean[i] = columns.load(b.mean + j, i);
        scale[i] = columns.load(b.scale + j, i);
        shift[i] = columns.load(b.shift + j, i);
      }
      for (int64_t at = begin; at < end; at += b.cols)
        for (int i = 0; i < count; ++i) {
          V z = (columns.load(b.x + at, i) - mean[i]) * scale[i] + shift[i];
          if (b.residual != nullptr) z = z + columns.load(b.residual + at, i);
          if (stream)
            columns.stream(g(z), b.y + at, i);
          else
            columns.store(g(z), b.y + at, i);
        }
    });
  });
  if (stream) V::end_stream();
}

// Sums of one block of rows after the other: the rounding of long sums stays small.
template <class V>
void batch_norm_sums(const BatchNormGradientBlock<typename V::T>& b, typename V::T* sum_dz,
                     typename V::T* sum_dz_x) {
  with_activation<V>(b.f, [&](auto g) {
    for_column_blocks<V>(b.cols, [&](auto columns, int64_t j) {
      constexpr int count = decltype(columns)::vectors;
      V mean[count], scale[count], shift[count], sum[count] = {}, sum_x[count] = {};
      for (int i = 0; i < count; ++i) {
        mean[i] = columns.load(b.mean + j, i);
        scale[i] = columns.load(b.scale + j, i);
        shift[i] = columns.load(b.shift + j, i);
      }
      for (int64_t row = 0; row < b.rows; row += rows_in_cache) {
        const int64_t row_end = b.rows - row < rows_in_cache ? b.rows : row + rows_in_cache;
        V block[count] = {}, block_x[count] = {};
        for (int64_t at = row * b.cols + j; at < row_end * b.cols; at += b.cols)
          for (int i = 0; i < count; ++i) {
            const V x = columns.load(b.x + at, i) - mean[i];
            const V y = b.y != nullptr ? columns.load(b.y + at, i) : g(x * scale[i] + shift[i]);
            const V dz = g.gradient(y, columns.load(b.dy + at, i));
            if (b.dz != nullptr) columns.store(dz, b.dz + at, i);
            block[i] = block[i] + dz;
            block_x[i] = block_x[i] + dz * x;
          }
        for (int i = 0; i < count; ++i) {
          sum[i] = sum[i] + block[i];
          sum_x[i] = sum_x[i] + block_x[i];
        }
      }
      for (int i = 0; i < count; ++i) {
        columns.store(sum[i], sum_dz + j, i);
        columns.store(sum_x[i], sum_dz_x + j, i);
      }
    });
  });
}

template <class V>
void batch_norm_gradient(const BatchNormGradientBlock<typename V::T>& b, const typename V::T* slope,
                         const typename V::T* offset, typename V::T* dx) {
  with_activation<V>(b.f, [&](auto g) {
    for_pieces<V>(b.rows, b.cols, [&](auto columns, int64_t j, int64_t begin, int64_t end) {
      constexpr int count = decltype(columns)::vectors;
      V mean[count], scale[count], shift[count], slope_x[count], constant[count];
      for (int i = 0; i < count; ++i) {
        mean[i] = columns.load(b.mean + j, i);
        scale[i] = columns.load(b.scale + j, i);
        shift[i] = columns.load(b.shift + j, i);
        slope_x[i] = columns.load(slope + j, i);
        constant[i] = columns.load(offset + j, i);
      }
      for (int64_t at = begin; at < end; at += b.cols)
        for (int i = 0; i < count; ++i) {
          const V x = columns.load(b.x + at, i) - mean[i];
          const V y = b.y != nullptr ? columns.load(b.y + at, i) : g(x * scale[i] + shift[i]);
          const V dz = g.gradient(y, columns.load(b.dy + at, i));
          columns.store(scale[i] * dz + (slope_x[i] * x + constant[i]), dx + at, i);
        }
    });
  });
}

}  // namespace fastcnn::generic
