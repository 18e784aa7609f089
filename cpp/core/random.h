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
};

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_high, std::uint64_t counter_low);

// Fills a float32 or float64 view, element i in storage order from counter i. uniform: [low, high).
void fill_uniform(View y, std::uint64_t seed, std::uint64_t stream, double low, double high);
void fill_normal(View y, std::uint64_t seed, std::uint64_t stream, double mean, double std);

}  // namespace fastcnn
