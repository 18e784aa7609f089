// The fastest that this ISA can multiply and add: what every other kernel is measured against.
#pragma once

#include "backend/cpu/generic/elementwise.h"

namespace fastcnn::generic {

// As many independent sums as the GEMM's tile has, so that no FMA waits for another and nothing leaves the
// registers. Each tends to 2: no overflow, no denormals. They start apart, or the compiler would make them one.
template <class V>
int64_t fma_peak(int64_t iterations) {
  constexpr int sums = V::Isa::gemm_rows * V::Isa::gemm_vectors;
  const V half = V::broadcast(typename V::T(0.5));
  const V one = V::broadcast(1);
  V sum[sums];
#pragma GCC unroll 32
  for (int j = 0; j < sums; ++j) sum[j] = V::broadcast(static_cast<typename V::T>(j));
  for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 32
    for (int j = 0; j < sums; ++j) sum[j] = sum[j] * half + one;
  }
  V total{};
#pragma GCC unroll 32
  for (int j = 0; j < sums; ++j) total = total + sum[j];
  volatile typename V::T used = sum_lanes(total);
  static_cast<void>(used);
  return 2 * iterations * sums * V::size;
}

}  // namespace fastcnn::generic
