#pragma once

#include <math.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::baseline {

struct Tag {
  // The GEMM's tile. 16 registers: 12 sums, 2 of b, 1 of a.
  static constexpr int gemm_rows = 6;
  static constexpr int gemm_vectors = 2;
  // The same for a few rows of a: sums of dot products.
  static constexpr int dot_rows = 3;
  static constexpr int dot_cols = 4;

  template <class Raw>
  static Raw sqrt(Raw x) {
    for (unsigned i = 0; i < sizeof(Raw) / sizeof(x[0]); ++i) x[i] = static_cast<decltype(+x[0])>(::sqrt(x[i]));
    return x;
  }
};

template <class T>
using Vec = generic::Vec<T, 16, Tag>;

}  // namespace fastcnn::baseline
