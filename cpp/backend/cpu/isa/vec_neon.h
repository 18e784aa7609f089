#pragma once

#include <arm_neon.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::neon {

struct Tag {
  // The GEMM's tile. 32 registers: 24 sums, 3 of b, 1 of a.
  static constexpr int gemm_rows = 8;
  static constexpr int gemm_vectors = 3;
  // The same for a few rows of a: sums of dot products.
  static constexpr int dot_rows = 6;
  static constexpr int dot_cols = 4;

  static float32x4_t sqrt(float32x4_t x) { return vsqrtq_f32(x); }
};

template <class T>
using Vec = generic::Vec<T, 16, Tag>;

}  // namespace fastcnn::neon
