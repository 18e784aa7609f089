// The packed GEMM's inner kernels: a register tile of rows x vectors, and the loop of tiles around it.
// The ISA's tag says the largest tile: gemm_rows x gemm_vectors accumulators, the vectors of one row of
// b and one broadcast element of a fill the registers.
#pragma once

#include "cpu/generic/epilogue.h"
#include "cpu/generic/vec.h"
#include "cpu/kernels.h"

namespace fastcnn::generic {

template <class V>
using Microkernel = void (*)(int64_t k, const typename V::T* a, const typename V::T* b, int64_t ldb,
                             typename V::T alpha, typename V::T beta, typename V::T* c, int64_t ldc,
                             int64_t cols);

// c = alpha a b + beta c for one tile, summed over k in order. a: packed [k][Rows]; b: k rows of
// Vectors whole vectors, ldb apart; c: Rows x cols, cols in the last of the vectors. beta 0: c is not read.
template <class V, int Rows, int Vectors>
void microkernel(int64_t k, const typename V::T* a, const typename V::T* b, int64_t ldb, typename V::T alpha,
                 typename V::T beta, typename V::T* c, int64_t ldc, int64_t cols) {
  V sum[Rows][Vectors] = {};
  for (int64_t p = 0; p < k; ++p) {
    V row[Vectors];
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) row[j] = V::load(b + j * V::size);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const V x = V::broadcast(a[i]);
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sum[i][j] = sum[i][j] + x * row[j];
    }
    a += Rows;
    b += ldb;
  }
  const V scale = V::broadcast(alpha);
  const V keep = V::broadcast(beta);
  const int64_t last = cols - (Vectors - 1) * V::size;
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      typename V::T* y = c + i * ldc + j * V::size;
      V value = scale * sum[i][j];
      if (j + 1 < Vectors || last == V::size) {
        if (beta != 0) value = value + keep * V::load(y);
        value.store(y);
      } else {
        if (beta != 0) value = value + keep * V::load_partial(y, last);
        value.store_partial(y, last);
      }
    }
  }
}

template <class V, int Vectors, int Rows = V::Isa::gemm_rows>
inline Microkernel<V> microkernel_for(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return microkernel_for<V, Vectors, Rows - 1>(rows);
  }
  return microkernel<V, Rows, Vectors>;
}

template <class V, int Vectors = V::Isa::gemm_vectors>
inline Microkernel<V> microkernel_for(int64_t rows, int64_t vectors) {
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) return microkernel_for<V, Vectors - 1>(rows, vectors);
  }
  return microkernel_for<V, Vectors>(rows);
}

// All tiles of a block. A panel of a stays in the first-level cache while b passes by out of the second;
// the epilogue takes rows of c that have just been written.
template <class V>
void multiply(const GemmBlock<typename V::T>& g) {
  using T = typename V::T;
  constexpr int64_t tile_cols = V::Isa::gemm_vectors * V::size;
  const bool packed = g.ldb == 0;
  const int64_t whole = g.n / tile_cols * tile_cols;
  const int64_t vectors = (g.n - whole + V::size - 1) / V::size;
  for (int64_t row = 0; row < g.m; row += g.a_rows) {
    const int64_t rows = g.m - row < g.a_rows ? g.m - row : g.a_rows;
    const T* a = g.a + row * g.k;
    T* c = g.c + row * g.ldc;
    const Microkernel<V> tile = microkernel_for<V>(rows, V::Isa::gemm_vectors);
    for (int64_t col = 0; col < whole; col += tile_cols) {
      tile(g.k, a, g.b + (packed ? col * g.k : col), packed ? tile_cols : g.ldb, g.alpha, g.beta, c + col, g.ldc,
           tile_cols);
    }
    if (whole < g.n) {
      microkernel_for<V>(rows, vectors)(g.k, a, g.b + (packed ? whole * g.k : whole),
                                        packed ? vectors * V::size : g.ldb, g.alpha, g.beta, c + whole, g.ldc,
                                        g.n - whole);
    }
    if (g.finish) {
      const T* residual = g.residual != nullptr ? g.residual + row * g.ldc : nullptr;
      bias_activation<V>(c, rows, g.n, g.ldc, g.bias, residual, g.activation);
    }
  }
}

}  // namespace fastcnn::generic
