// Dropout by the random words of elements.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/random_words.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

template <class V>
void dropout(const DropoutMask& mask, int64_t begin, const typename V::T* x, typename V::T* y, int64_t n) {
  using T = typename V::T;
  constexpr int64_t block = 512;  // elements whose words are drawn at once
  uint32_t words[block];
  const T scale = static_cast<T>(mask.scale);
  for (int64_t at = 0; at < n; at += block) {
    const int64_t count = n - at < block ? n - at : block;
    const uint64_t first = static_cast<uint64_t>(begin + at) / 4;
    philox_words<V>(mask.random.seed, mask.random.counter, first, (count + 3) / 4, words);
    for (int64_t i = 0; i < count; ++i) y[at + i] = x[at + i] * (words[i] < mask.threshold ? T{0} : scale);
  }
}

}  // namespace fastcnn::generic
