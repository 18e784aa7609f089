#pragma once

#include <immintrin.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::avx512 {

struct Tag {
  // The GEMM's tile. 32 registers: 28 sums, 2 of b, 1 of a.
  static constexpr int gemm_rows = 14;
  static constexpr int gemm_vectors = 2;
  // The same for a few rows of a: sums of dot products.
  static constexpr int dot_rows = 8;
  static constexpr int dot_cols = 3;

  static uint32_t first(int64_t count) { return (uint32_t{1} << count) - 1; }
  static __m512 load_partial(const float* p, int64_t count) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(first(count)), p);
  }
  static void store_partial(float* p, int64_t count, __m512 x) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(first(count)), x);
  }

  // Bytes as unsigned integers, one in each lane.
  using Lanes32 = int32_t __attribute__((vector_size(64)));
  static Lanes32 widen(const uint8_t* p, Lanes32) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return reinterpret_cast<Lanes32>(_mm512_maskz_cvtepu8_epi32(0xffff, bytes));
  }

  static void stream(float* p, __m512 x) { _mm512_stream_ps(p, x); }
  static void end_stream() { _mm_sfence(); }
  // Keeps the compiler from merging the load of x into a masked operation.
  template <class Raw>
  static void keep(Raw& x) {
    asm("" : "+v"(x));
  }

  // Masked by nothing: GCC 12 warns of an uninitialised operand in the plain intrinsics.
  static __m512 sqrt(__m512 x) { return _mm512_maskz_sqrt_ps(0xffff, x); }
};

template <class T>
using Vec = generic::Vec<T, 64, Tag>;

}  // namespace fastcnn::avx512
