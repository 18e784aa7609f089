#pragma once

#include <immintrin.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::avx2 {

struct Tag {
  // The GEMM's tile. 16 registers: 12 sums, 2 of b, 1 of a.
  static constexpr int gemm_rows = 6;
  static constexpr int gemm_vectors = 2;
  // The same for a few rows of a: sums of dot products.
  static constexpr int dot_rows = 3;
  static constexpr int dot_cols = 4;

  // All bits set in the first `count` 32-bit lanes.
  static __m256i first(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static __m256 load_partial(const float* p, int64_t count) { return _mm256_maskload_ps(p, first(count)); }
  static void store_partial(float* p, int64_t count, __m256 x) { _mm256_maskstore_ps(p, first(count), x); }

  // Bytes as unsigned integers, one in each lane.
  using Lanes32 = int32_t __attribute__((vector_size(32)));
  static Lanes32 widen(const uint8_t* p, Lanes32) {
    return reinterpret_cast<Lanes32>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }

  static void stream(float* p, __m256 x) { _mm256_stream_ps(p, x); }
  static void end_stream() { _mm_sfence(); }

  static __m256 sqrt(__m256 x) { return _mm256_sqrt_ps(x); }
};

template <class T>
using Vec = generic::Vec<T, 32, Tag>;

}  // namespace fastcnn::avx2
