// The GEMM's inner kernels: a register tile of rows x vectors, and the loop of tiles around it. The ISA's
// tag says the largest tile: gemm_rows x gemm_vectors accumulators, the vectors of one row of b and one
// broadcast element of a fill the registers.
#pragma once

#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/epilogue.h"
#include "backend/cpu/generic/pack.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// Memory that comes into a cache while a tile is at work: with every cache_line of p, `lines` lines of the cache that
// are ld apart, the next ones `step` further on.
template <class T>
struct Ahead {
  const T* at;
  int64_t lines, ld, step;
};

// Where a tile finds its operands, and what becomes of its sums.
template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t lda;  // from p to p + 1; with RowsOfA from row to row
  const T* b;   // k rows of whole vectors
  int64_t ldb;
  T alpha, beta;
  T* c;
  int64_t ldc;
  int64_t last_cols;  // in the last of the vectors; the others are whole
  const T* bias;      // null for none
  const T* residual;  // null for none
  Activation::Kind f;  // identity, relu or relu6
  Ahead<T> next_a;     // into the first-level cache
  Ahead<T> next_b;     // into the second-level cache
};

template <class V>
using Microkernel = void (*)(const Tile<typename V::T>& t);

// c = alpha a b + beta c for one tile, summed over k in order, then + residual + bias and ReLU or ReLU6 while it is
// in registers. Element (i, p) of a: a[p * lda + i], or a[i * lda + p] with RowsOfA.
template <class V, bool RowsOfA, int Rows, int Vectors>
void microkernel(const Tile<typename V::T>& t) {
  using T = typename V::T;
  V sum[Rows][Vectors] = {};
  // Columns of a that are read in place come from the second-level cache, a line or two with each p.
  constexpr int64_t ahead = 12;
  const int64_t lda = t.lda, ldb = t.ldb;
  const T* a = t.a;
  const T* b = t.b;
  const T* next_a = t.next_a.at;
  const T* next_b = t.next_b.at;
  for (int64_t first = 0; first < t.k; first += cache_line<T>, next_a += t.next_a.step, next_b += t.next_b.step) {
    for (int64_t i = 0; i < t.next_a.lines; ++i) __builtin_prefetch(next_a + i * t.next_a.ld, 0, 3);
    for (int64_t i = 0; i < t.next_b.lines; ++i) __builtin_prefetch(next_b + i * t.next_b.ld, 0, 2);
    const int64_t end = first + cache_line<T> < t.k ? first + cache_line<T> : t.k;
    for (int64_t p = first; p < end; ++p) {
      if constexpr (!RowsOfA) {  // its elements may lie in two lines
        __builtin_prefetch(a + ahead * lda, 0, 3);
        __builtin_prefetch(a + ahead * lda + Rows - 1, 0, 3);
      }
      V row[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) row[j] = V::load(b + j * V::size);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const V x = V::broadcast(RowsOfA ? a[i * lda] : a[i]);
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) sum[i][j] = sum[i][j] + x * row[j];
      }
      a += RowsOfA ? 1 : lda;
      b += ldb;
    }
  }

  const auto for_each = [&](auto body) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) body(sum[i][j], i, j);
    }
  };
  const bool whole = t.last_cols == V::size;
  const auto load = [&](const T* line, int j) {
    const T* x = line + j * V::size;
    return j + 1 < Vectors || whole ? V::load(x) : V::load_partial(x, t.last_cols);
  };
  if (t.alpha != 1) {
    const V alpha = V::broadcast(t.alpha);
    for_each([&](V& s, int, int) { s = s * alpha; });
  }
  if (t.beta != 0) {
    const V beta = V::broadcast(t.beta);
    for_each([&](V& s, int i, int j) { s = s + beta * load(t.c + i * t.ldc, j); });
  }
  if (t.residual != nullptr) for_each([&](V& s, int i, int j) { s = s + load(t.residual + i * t.ldc, j); });
  if (t.bias != nullptr) {
    V bias[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) bias[j] = load(t.bias, j);
    for_each([&](V& s, int, int j) { s = s + bias[j]; });
  }
  if (t.f == Activation::Kind::relu) for_each([](V& s, int, int) { s = Relu<V>{}(s); });
  if (t.f == Activation::Kind::relu6) for_each([](V& s, int, int) { s = Relu6<V>{}(s); });
  for_each([&](V s, int i, int j) {
    T* y = t.c + i * t.ldc + j * V::size;
    j + 1 < Vectors || whole ? s.store(y) : s.store_partial(y, t.last_cols);
  });
}

template <class V, bool RowsOfA, int Vectors, int Rows = V::Isa::gemm_rows>
inline Microkernel<V> microkernel_of_rows(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return microkernel_of_rows<V, RowsOfA, Vectors, Rows - 1>(rows);
  }
  return microkernel<V, RowsOfA, Rows, Vectors>;
}

template <class V, bool RowsOfA, int Vectors = V::Isa::gemm_vectors>
inline Microkernel<V> microkernel_for(int64_t rows, int64_t vectors) {
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) return microkernel_for<V, RowsOfA, Vectors - 1>(rows, vectors);
  }
  return microkernel_of_rows<V, RowsOfA, Vectors>(rows);
}

// The share of one of a panel's tiles in the rows of a behind the panel.
template <class T>
inline Ahead<T> next_rows_of(const GemmBlock<T>& g, int64_t row, int64_t tile, int64_t tiles) {
  if (!g.fetch_a) return {};
  const int64_t share = (g.panel_rows + tiles - 1) / tiles;
  const int64_t first = tile * share;
  const int64_t behind = g.m - row - g.panel_rows;
  const int64_t left = (behind < g.panel_rows ? behind : g.panel_rows) - first;
  if (left <= 0) return {};
  return {g.a + (row + g.panel_rows + first) * g.lda, share < left ? share : left, g.lda, cache_line<T>};
}

// The share of one tile in what is packed next: a few whole lines of it, or where k runs across them a cache line of
// each.
template <class V, class T = typename V::T>
inline Ahead<T> next_packed_of(const GemmBlock<T>& g, int64_t tile, int64_t tiles) {
  const int64_t share = g.next_k_contiguous ? (g.next_extent + tiles - 1) / tiles : cache_line<T>;
  const int64_t first = tile * share;
  const int64_t left = g.next_extent - first;
  if (left <= 0) return {};
  if (!g.next_k_contiguous) return {g.next + first, cache_line<T>, g.ld_next, cache_line<T> * g.ld_next};
  return {g.next + first * g.ld_next, share < left ? share : left, g.ld_next, cache_line<T>};
}

// The share of one of a column's tiles in the packed columns behind them.
template <class V, class T = typename V::T>
inline Ahead<T> next_columns_of(const GemmBlock<T>& g, int64_t row, int64_t col) {
  constexpr int64_t tile_cols = V::Isa::gemm_vectors * V::size;
  const int64_t behind = g.n - col - tile_cols;
  const int64_t width = behind < tile_cols ? (behind + V::size - 1) / V::size * V::size : tile_cols;
  const T* next = behind > 0 ? g.b + (col + tile_cols) * g.b_depth + g.b_from * width : g.b_next;
  if (next == nullptr) return {};
  const int64_t panels = (g.m + g.panel_rows - 1) / g.panel_rows;
  const int64_t lines = (tile_cols + panels - 1) / panels;  // each panel has one step per cache_line of k
  const int64_t steps = (g.k + cache_line<T> - 1) / cache_line<T>;
  return {next + row / g.panel_rows * steps * lines * cache_line<T>, lines, cache_line<T>, lines * cache_line<T>};
}

// Up to gemm_rows rows of the block, from column `col` on to `end`, whole tiles but for the last one. b streams past
// out of the second-level cache.
template <class V, bool RowsOfA>
inline void multiply_panel(const GemmBlock<typename V::T>& g, int64_t row, int64_t rows, const typename V::T* a,
                           int64_t lda, int64_t col, int64_t end) {
  using T = typename V::T;
  constexpr int64_t tile_cols = V::Isa::gemm_vectors * V::size;
  const bool apply = g.finish && is_in_registers<V>(g.activation);
  const Activation::Kind f = apply ? g.activation.kind : Activation::Kind::identity;
  const T* bias = g.finish ? g.bias : nullptr;
  const T* residual = g.finish && g.residual != nullptr ? g.residual + row * g.ldc : nullptr;
  const int64_t tiles_of_panel = (g.n + tile_cols - 1) / tile_cols;
  const int64_t tiles = (g.m + g.panel_rows - 1) / g.panel_rows * tiles_of_panel;
  int64_t tile = row / g.panel_rows * tiles_of_panel;
  const auto multiply_tile = [&](Microkernel<V> kernel, int64_t col, int64_t cols, const T* b, int64_t ldb) {
    kernel({.k = g.k, .a = a, .lda = lda, .b = b, .ldb = ldb, .alpha = g.alpha, .beta = g.beta,
            .c = g.c + row * g.ldc + col, .ldc = g.ldc, .last_cols = (cols - 1) % V::size + 1,
            .bias = bias != nullptr ? bias + col : nullptr,
            .residual = residual != nullptr ? residual + col : nullptr, .f = f,
            .next_a = g.by_columns ? Ahead<T>{} : next_rows_of(g, row, col / tile_cols, tiles_of_panel),
            .next_b = g.by_columns ? next_columns_of<V>(g, row, col) : next_packed_of<V>(g, tile++, tiles)});
  };

  const Microkernel<V> largest = microkernel_for<V, RowsOfA>(rows, V::Isa::gemm_vectors);
  const auto packed = [&](int64_t width) { return g.b + col * g.b_depth + g.b_from * width; };
  for (; col + tile_cols <= end; col += tile_cols) {
    g.ldb == 0 ? multiply_tile(largest, col, tile_cols, packed(tile_cols), tile_cols)
               : multiply_tile(largest, col, tile_cols, g.b + col, g.ldb);
  }
  const int64_t left = end - col;
  if (g.ldb == 0) {
    const int64_t vectors = (left + V::size - 1) / V::size;
    if (left > 0) {
      multiply_tile(microkernel_for<V, RowsOfA>(rows, vectors), col, left, packed(vectors * V::size), vectors * V::size);
    }
    return;
  }
  const int64_t vectors = left / V::size;
  if (vectors > 0) {
    multiply_tile(microkernel_for<V, RowsOfA>(rows, vectors), col, vectors * V::size, g.b + col, g.ldb);
    col += vectors * V::size;
  }
  if (col < end) {
    multiply_tile(microkernel_for<V, RowsOfA>(rows, 1), col, end - col, g.b_tail, V::size);
  }
}

// A tile of columns after the other, each for all rows.
template <class V>
void multiply_by_columns(const GemmBlock<typename V::T>& g) {
  constexpr int64_t tile_cols = V::Isa::gemm_vectors * V::size;
  for (int64_t col = 0; col < g.n; col += tile_cols) {
    const int64_t end = col + tile_cols < g.n ? col + tile_cols : g.n;
    for (int64_t row = 0; row < g.m; row += g.panel_rows) {
      const int64_t rows = g.m - row < g.panel_rows ? g.m - row : g.panel_rows;
      multiply_panel<V, true>(g, row, rows, g.a + row * g.lda, g.lda, col, end);
    }
  }
  if (g.finish && !is_in_registers<V>(g.activation)) {
    bias_activation<V>(g.c, g.m, g.n, g.ldc, nullptr, nullptr, g.activation);
  }
}

template <class V>
void multiply(const GemmBlock<typename V::T>& g) {
  using T = typename V::T;
  if (g.by_columns) return multiply_by_columns<V>(g);
  for (int64_t row = 0; row < g.m; row += g.panel_rows) {
    const int64_t rows = g.m - row < g.panel_rows ? g.m - row : g.panel_rows;
    const T* a = g.a + (g.trans_a ? row : row * g.lda);
    if (g.panel != nullptr) {
      pack<V>(!g.trans_a, rows, g.k, a, g.lda, rows, 1, g.panel);
      multiply_panel<V, false>(g, row, rows, g.panel, rows, 0, g.n);
    } else if (g.trans_a) {
      multiply_panel<V, false>(g, row, rows, a, g.lda, 0, g.n);
    } else {
      multiply_panel<V, true>(g, row, rows, a, g.lda, 0, g.n);
    }
    if (g.finish && !is_in_registers<V>(g.activation)) {
      bias_activation<V>(g.c + row * g.ldc, rows, g.n, g.ldc, nullptr, nullptr, g.activation);
    }
  }
}

}  // namespace fastcnn::generic
