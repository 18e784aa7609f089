// Batch normalisation of a matrix whose rows are pixels and whose columns are channels (Ioffe and Szegedy
// 2015, algorithms 1 and 2). A block of channels stays in registers while the rows go by.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/columns.h"
#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// Rows whose sums are added up apart from those of others.
inline constexpr int64_t rows_of_sum = 128;

// Sums of x - mean and of their squares, over rows at distance `stride`. Few columns take several rows at once, so
// that as many sums go side by side as hide the latency of an addition.
template <class V, class Columns>
inline void sum_distances(const Columns& columns, const typename V::T* x, int64_t stride, int64_t rows, const V* mean,
                          V* sum, V* squares) {
  constexpr int count = Columns::vectors, together = 4 / count;
  V sums[4] = {}, sums_of_squares[4] = {};
  const auto add = [&](int64_t row, int at) {
    for (int i = 0; i < count; ++i) {
      const V d = columns.load(x + row * stride, i) - mean[i];
      sums[at * count + i] = sums[at * count + i] + d;
      sums_of_squares[at * count + i] = sums_of_squares[at * count + i] + d * d;
    }
  };
  int64_t row = 0;
  for (; row + together <= rows; row += together)
    for (int at = 0; at < together; ++at) add(row + at, at);
  for (; row < rows; ++row) add(row, 0);
  for (int i = 0; i < count; ++i) {
    sum[i] = sums[i];
    squares[i] = sums_of_squares[i];
    for (int at = 1; at < together; ++at) {
      sum[i] = sum[i] + sums[at * count + i];
      squares[i] = squares[i] + sums_of_squares[at * count + i];
    }
  }
}

// In one pass, a block of rows after the other, by their distances from the mean of those before (Youngs and Cramer
// 1971, by blocks): nothing cancels, however far from 0 the mean is. The first block takes the mean of its first rows.
template <class V>
void statistics(const typename V::T* x, int64_t stride, int64_t rows, int64_t cols, typename V::T* mean,
                typename V::T* m2) {
  using T = typename V::T;
  constexpr int64_t first_rows = 16;
  for_column_blocks<V>(cols, [&](auto columns, int64_t j) {
    constexpr int count = decltype(columns)::vectors;
    V mean_so_far[count] = {}, m2_so_far[count] = {}, sum[count], squares[count];
    const int64_t first = rows < first_rows ? rows : first_rows;
    sum_distances<V>(columns, x + j, stride, first, mean_so_far, sum, squares);
    for (int i = 0; i < count; ++i) mean_so_far[i] = sum[i] / V::broadcast(static_cast<T>(first));
    for (int64_t row = 0; row < rows; row += rows_of_sum) {
      const int64_t end = rows - row < rows_of_sum ? rows : row + rows_of_sum;
      sum_distances<V>(columns, x + row * stride + j, stride, end - row, mean_so_far, sum, squares);
      for (int i = 0; i < count; ++i) {
        const V shift = sum[i] / V::broadcast(static_cast<T>(end));
        mean_so_far[i] = mean_so_far[i] + shift;
        m2_so_far[i] = m2_so_far[i] + (squares[i] - sum[i] * shift);
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
  with_inlined<V>(b.f, [&](auto g) {
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
  with_inlined<V>(b.f, [&](auto g) {
    for_column_blocks<V>(b.cols, [&](auto columns, int64_t j) {
      constexpr int count = decltype(columns)::vectors;
      V mean[count], scale[count], shift[count], sum[count] = {}, sum_x[count] = {};
      for (int i = 0; i < count; ++i) {
        mean[i] = columns.load(b.mean + j, i);
        scale[i] = columns.load(b.scale + j, i);
        shift[i] = columns.load(b.shift + j, i);
      }
      for (int64_t row = 0; row < b.rows; row += rows_of_sum) {
        const int64_t row_end = b.rows - row < rows_of_sum ? b.rows : row + rows_of_sum;
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
  with_inlined<V>(b.f, [&](auto g) {
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
