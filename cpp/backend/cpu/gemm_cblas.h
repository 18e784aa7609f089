// Runs a Gemm through any BLAS with the C interface. Included by the one provider that is built.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/error.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {

// `call(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)` is the row-major BLAS routine,
// with int extents. With an epilogue c is made in blocks of rows that fit the cache, each finished
// while it is there.
template <class T, class Call>
void gemm_cblas(const Gemm<T>& g, Call call) {
  constexpr std::int64_t block_bytes = 256 * 1024;
  constexpr std::int64_t min_rows = 64;  // fewer rows would read b too often
  constexpr std::int64_t int_max = std::numeric_limits<int>::max();
  if (std::max({g.n, g.k, g.lda, g.ldb, g.ldc}) > int_max) {
    throw UnsupportedError("gemm: an extent is past the BLAS's 32-bit integers; use FASTCNN_GEMM=native");
  }
  if (g.n == 0) return;
  const bool finish = !g.epilogue.is_empty();
  const std::int64_t row_bytes = g.n * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t step = finish ? std::max(min_rows, block_bytes / row_bytes) : int_max;
  for (std::int64_t row = 0; row < g.m; row += step) {
    const std::int64_t rows = std::min(step, g.m - row);
    const T* a = g.trans_a ? g.a + row : g.a + row * g.lda;
    T* c = g.c + row * g.ldc;
    // BLAS wants leading dimensions of at least 1, also when there is nothing to read.
    call(g.trans_a, g.trans_b, static_cast<int>(rows), static_cast<int>(g.n), static_cast<int>(g.k), g.alpha, a,
         static_cast<int>(std::max<std::int64_t>(g.lda, 1)), g.b,
         static_cast<int>(std::max<std::int64_t>(g.ldb, 1)), g.beta, c,
         static_cast<int>(std::max<std::int64_t>(g.ldc, 1)));
    if (finish) {
      const GemmEpilogue<T> epilogue = g.epilogue.at(row * g.ldc, 0);
      kernels<T>().bias_activation(c, rows, g.n, g.ldc, epilogue.bias, epilogue.residual, epilogue.activation);
    }
  }
}

}  // namespace fastcnn
