#pragma once

#include "cpu/generic/vec.h"

namespace fastcnn::avx512 {

struct Tag {
  // The GEMM's tile. 32 registers: 28 sums, 2 of b, 1 of a.
  static constexpr int gemm_rows = 14;
  static constexpr int gemm_vectors = 2;
};

template <class T>
using Vec = generic::Vec<T, 64, Tag>;

}  // namespace fastcnn::avx512
