// Dropout by its definition, one element at a time: the oracle of the tests.
#pragma once

#include <cstdint>

#include "core/random.h"

namespace fastcnn::reference {

// Element i, in storage order, of inverted dropout in training: 0 where its random word is among the
// share p of all words that drop, else x / (1 - p).
template <class T>
T dropout(T x, double p, const RandomState& random, std::uint64_t stream, std::uint64_t i) {
  if (p == 0) return x;
  const std::uint64_t counter_high = (stream + 1) << 40 | random.step;
  const std::uint32_t word = philox(random.seed, counter_high, i / 4)[i % 4];
  return static_cast<double>(word) < p * 0x1p32 ? T{0} : static_cast<T>(x * static_cast<T>(1 / (1 - p)));
}

}  // namespace fastcnn::reference
