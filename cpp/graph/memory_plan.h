// Places blocks that live for a while in one arena, so that blocks alive at once don't overlap.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace fastcnn {

struct Lifetime {
  std::size_t bytes;
  int first;  // step that writes it
  int last;   // last step that reads it, >= first
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // one per lifetime, 64-byte aligned
  std::size_t bytes = 0;             // of the arena
};

// Greedy by size: the largest block first, each at the lowest offset free for its whole lifetime
// (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020).
MemoryPlan plan_memory(std::span<const Lifetime> lifetimes);

}  // namespace fastcnn
