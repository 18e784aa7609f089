// Counter-based random numbers: number i of stream s under a seed is a pure function of (seed, s, i),
// so any thread can make any part. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011).
#pragma once

#include <array>
#include <cstdint>

#include "core/tensor.h"

namespace fastcnn {

// Which random numbers a run draws: `seed` names the experiment, `step` the forward pass in it.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;

  // The stream that the model's random op number `op` < 2^23 draws from in this step; past the small numbers that
  // initialisers take.
  constexpr std::uint64_t stream(std::uint64_t op) const {
    return (op + 1) << 40 | (step & ((std::uint64_t{1} << 40) - 1));
  }
};

// Ten rounds over four words. In the paper's terms the key is (low, high word of key) and the counter
// (low, high word of counter_low, low, high word of counter_high).
constexpr std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_high,
                                              std::uint64_t counter_low) {
  auto x0 = static_cast<std::uint32_t>(counter_low);
  auto x1 = static_cast<std::uint32_t>(counter_low >> 32);
  auto x2 = static_cast<std::uint32_t>(counter_high);
  auto x3 = static_cast<std::uint32_t>(counter_high >> 32);
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * x0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * x2;
    x0 = static_cast<std::uint32_t>(p1 >> 32) ^ x1 ^ k0;
    x1 = static_cast<std::uint32_t>(p1);
    x2 = static_cast<std::uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9;  // golden ratio
    k1 += 0xBB67AE85;  // square root of 3, minus 1
  }
  return {x0, x1, x2, x3};
}

// words[4 * i + j] = word j of philox(key, counter_high, first + i), for `count` counters.
void philox_words(std::uint64_t key, std::uint64_t counter_high, std::uint64_t first, std::int64_t count,
                  std::uint32_t* words);

// Fill a float32 or float64 view: element i in storage order comes from word i % 4 of
// philox(seed, stream, i / 4), normal ones in pairs. The numbers are the same on every machine, and
// those of float32 are those of float64 rounded. uniform: [low, high), with 32 random bits.
void fill_uniform(View y, std::uint64_t seed, std::uint64_t stream, double low, double high);
void fill_normal(View y, std::uint64_t seed, std::uint64_t stream, double mean, double std);

// The standard normal numbers of elements [block * random_block, (block + 1) * random_block).
inline constexpr std::int64_t random_block = 1024;
void draw_normal(std::uint64_t seed, std::uint64_t stream, std::int64_t block, double* numbers);

}  // namespace fastcnn
