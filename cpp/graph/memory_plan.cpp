#include "graph/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "core/allocator.h"

namespace fastcnn {
namespace {

bool alive_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes) {
  MemoryPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });

  std::vector<std::size_t> placed;  // by offset, lowest first
  for (const std::size_t block : order) {
    const std::size_t bytes = align_up(lifetimes[block].bytes);
    if (bytes == 0) continue;
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      if (!alive_together(lifetimes[block], lifetimes[other])) continue;
      if (offset + bytes <= plan.offsets[other]) break;  // the gap below `other` is wide enough
      offset = std::max(offset, plan.offsets[other] + align_up(lifetimes[other].bytes));
    }
    plan.offsets[block] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), block,
                                   [&](std::size_t a, std::size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
                  block);
  }
  return plan;
}

}  // namespace fastcnn
