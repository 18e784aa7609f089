// Cutting elementwise work for the pool.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"

namespace fastcnn {

// Calls body(begin, end) over pieces of [0, n) that hold about 64 Ki operations each, so that a piece
// stays in the nearest caches and its cut depends on n alone.
template <class F>
void parallel_ranges(std::int64_t n, std::int64_t ops_per_item, F&& body) {
  constexpr std::int64_t ops_per_task = 1 << 16;
  const std::int64_t grain = std::max<std::int64_t>(1, ops_per_task / std::max<std::int64_t>(1, ops_per_item));
  const std::int64_t tasks = (n + grain - 1) / grain;
  parallel_for(tasks, std::min(n, grain) * ops_per_item, [&](std::int64_t task, int) {
    body(task * grain, std::min(n, (task + 1) * grain));
  });
}

}  // namespace fastcnn
