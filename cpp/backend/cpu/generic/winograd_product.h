// The products of transformed tiles and weights. The transforms write vectors of channels, which is not how
// the GEMM's packed panels lie; these kernels read the factor whose elements are broadcast as it was
// written, and leave the other as the GEMM has it.
#pragma once

#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// How element (row, p) of a panel of a is found: runs of p, `stride` from one to the next run or p.
template <class V>
struct ByTile {  // [p / lanes][row][lanes]; stride: of the panel's rows times lanes
  static constexpr int64_t row_stride = V::size;
  static int64_t run(int64_t) { return V::size; }
  static int64_t step(int64_t) { return 1; }
};
template <class V>
struct ByChannel {  // [p][row]; stride: of p
  static constexpr int64_t row_stride = 1;
  static int64_t run(int64_t k) { return k; }
  static int64_t step(int64_t stride) { return stride; }
};

// c = a b, or c + a b, for one tile of Rows x Vectors whole vectors. Meanwhile c and, `ahead_lines` in each run
// of p, the memory from `ahead` on come into the cache.
template <class V, class A, int Rows, int Vectors>
void winograd_microkernel(int64_t k, const typename V::T* a, int64_t stride, const typename V::T* b, int64_t ldb,
                          bool add, typename V::T* c, int64_t ldc, const typename V::T* ahead,
                          int64_t ahead_lines) {
  using T = typename V::T;
  constexpr int64_t line = 64 / sizeof(T);
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    for (int64_t j = 0; j < Vectors * V::size; j += line) __builtin_prefetch(c + i * ldc + j);
  }
  V sum[Rows][Vectors] = {};
  for (int64_t first = 0; first < k; first += A::run(k), a += stride) {
    const int64_t run = A::run(k) < k - first ? A::run(k) : k - first;
    const T* element = a;
    for (int64_t i = 0; i < ahead_lines; ++i, ahead += line) __builtin_prefetch(ahead, 0, 2);
    for (int64_t p = 0; p < run; ++p, element += A::step(stride), b += ldb) {
      V row[Vectors];
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) row[j] = V::load(b + j * V::size);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const V x = V::broadcast(element[i * A::row_stride]);
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; ++j) sum[i][j] = sum[i][j] + x * row[j];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      T* y = c + i * ldc + j * V::size;
      if (add) sum[i][j] = V::load(y) + sum[i][j];
      sum[i][j].store(y);
    }
  }
}

template <class V>
using WinogradMicrokernel = void (*)(int64_t k, const typename V::T* a, int64_t stride, const typename V::T* b,
                                     int64_t ldb, bool add, typename V::T* c, int64_t ldc,
                                     const typename V::T* ahead, int64_t ahead_lines);

template <class V, class A, int Vectors, int Rows = V::Isa::gemm_rows>
inline WinogradMicrokernel<V> winograd_microkernel_of_rows(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return winograd_microkernel_of_rows<V, A, Vectors, Rows - 1>(rows);
  }
  return winograd_microkernel<V, A, Rows, Vectors>;
}

template <class V, class A, int Vectors = V::Isa::gemm_vectors>
inline WinogradMicrokernel<V> winograd_microkernel_for(int64_t rows, int64_t vectors) {
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) return winograd_microkernel_for<V, A, Vectors - 1>(rows, vectors);
  }
  return winograd_microkernel_of_rows<V, A, Vectors>(rows);
}

// All tiles of a block, one panel of b after the other. With Ahead the next panel, which is contiguous, comes
// into the second-level cache while this one is at work.
template <class V, class A, bool Ahead>
inline void winograd_block(const WinogradProduct<typename V::T>& g, int64_t panel_stride, int64_t stride) {
  using T = typename V::T;
  constexpr int64_t cols = V::Isa::gemm_vectors * V::size;
  const int64_t panels = (g.m + g.a_rows - 1) / g.a_rows;
  const int64_t lines_per_run = cols * V::size * static_cast<int64_t>(sizeof(T)) / 64;
  const int64_t ahead_lines = (lines_per_run + panels - 1) / panels;
  const int64_t ahead_step = (g.k + V::size - 1) / V::size * ahead_lines * (64 / static_cast<int64_t>(sizeof(T)));
  for (int64_t col = 0; col < g.n; col += cols) {
    const int64_t vectors = g.n - col < cols ? (g.n - col + V::size - 1) / V::size : V::Isa::gemm_vectors;
    const T* b = g.b + col / cols * g.b_panel_stride;
    const bool more = Ahead && col + cols < g.n;
    for (int64_t row = 0; row < g.m; row += g.a_rows) {
      const int64_t rows = g.m - row < g.a_rows ? g.m - row : g.a_rows;
      const int64_t panel = row / g.a_rows;
      const T* ahead = more ? b + g.b_panel_stride + panel * ahead_step : b;
      winograd_microkernel_for<V, A>(rows, vectors)(g.k, g.a + panel * panel_stride, stride, b, g.ldb, g.add,
                                                    g.c + row * g.ldc + col, g.ldc, ahead, more ? ahead_lines : 0);
    }
  }
}

template <class V>
void winograd_multiply(const WinogradProduct<typename V::T>& g) {
  winograd_block<V, ByTile<V>, true>(g, g.lda, g.a_rows * V::size);
}

template <class V>
void winograd_multiply_transposed(const WinogradProduct<typename V::T>& g) {
  winograd_block<V, ByChannel<V>, false>(g, g.a_rows, g.lda);
}

}  // namespace fastcnn::generic
