// Counter-based random words; see core/random.h for what they are.
#pragma once

#include <stdint.h>
#include <string.h>

#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

template <class V>
struct Counters {
  typedef uint64_t Raw __attribute__((vector_size(V::size * sizeof(typename V::T))));
};

// words[4 * i + j] = word j of philox(key, counter_high, first + i), for `count` counters, rounded up to whole
// vectors: as many counters as a vector has 64-bit lanes go through the rounds together.
template <class V>
inline void philox_words(uint64_t key, uint64_t counter_high, uint64_t first, int64_t count, uint32_t* words) {
  using Lanes = typename Counters<V>::Raw;
  constexpr int lanes = sizeof(Lanes) / sizeof(uint64_t);
  constexpr uint64_t low = 0xFFFFFFFF;
  Lanes counter{};
  for (int i = 0; i < lanes; ++i) counter[i] = first + static_cast<uint64_t>(i);
  for (int64_t at = 0; at < count; at += lanes, counter += lanes) {
    Lanes x0 = counter & low, x1 = counter >> 32;
    Lanes x2 = Lanes{} + (counter_high & low), x3 = Lanes{} + (counter_high >> 32);
    uint64_t k0 = key & low, k1 = key >> 32;
    for (int round = 0; round < 10; ++round) {
      const Lanes p0 = x0 * uint64_t{0xD2511F53}, p1 = x2 * uint64_t{0xCD9E8D57};
      x0 = (p1 >> 32) ^ x1 ^ k0;
      x1 = p1 & low;
      x2 = (p0 >> 32) ^ x3 ^ k1;
      x3 = p0 & low;
      k0 = (k0 + 0x9E3779B9) & low;
      k1 = (k1 + 0xBB67AE85) & low;
    }
    for (int i = 0; i < lanes; ++i) {
      uint32_t* four = words + 4 * (at + i);
      four[0] = static_cast<uint32_t>(x0[i]);
      four[1] = static_cast<uint32_t>(x1[i]);
      four[2] = static_cast<uint32_t>(x2[i]);
      four[3] = static_cast<uint32_t>(x3[i]);
    }
  }
}

// The random numbers of a tensor's elements, for a reader who goes through them in order, but for skips.
template <class V>
class UniformNumbers {
 public:
  explicit UniformNumbers(const RandomWords& random) : random_(random) {}

  // Those of V::size elements from i on: the upper 24 bits of their words, which T holds exactly, in [0, 1).
  V from(int64_t i) {
    if (i < first_ || i + V::size > first_ + block) {
      first_ = i / 4 * 4;
      philox_words<V>(random_.seed, random_.counter, static_cast<uint64_t>(first_ / 4), block / 4, words_);
    }
    typedef int32_t Numbers __attribute__((vector_size(V::size * sizeof(int32_t))));  // signed: quicker to convert
    Numbers numbers;
    memcpy(&numbers, words_ + (i - first_), sizeof(numbers));
    numbers = (numbers >> 8) & 0xFFFFFF;
    return V{__builtin_convertvector(numbers, typename V::Raw)} * V::broadcast(static_cast<typename V::T>(0x1p-24));
  }

 private:
  static constexpr int64_t block = 512;  // drawn at once
  RandomWords random_;
  int64_t first_ = -block;
  uint32_t words_[block];
};

}  // namespace fastcnn::generic
