#include "graph/arena_pool.h"

#include <algorithm>
#include <utility>

namespace fastcnn {

void ArenaPool::announce(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  announced_.insert(bytes);
}

void ArenaPool::retract(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  announced_.erase(announced_.find(bytes));
  free_unneeded();
}

Arena ArenaPool::take(std::size_t bytes, const std::byte* preferred) {
  {
    const std::lock_guard lock(mutex_);
    auto best = idle_.end();
    for (auto arena = idle_.begin(); arena != idle_.end(); ++arena) {
      if (arena->bytes < bytes) continue;
      const bool is_better = best == idle_.end() || arena->bytes < best->bytes;
      if (arena->data.get() == preferred || is_better) best = arena;
      if (arena->data.get() == preferred) break;
    }
    const bool fits = best != idle_.end();
    if (!fits && !idle_.empty()) best = std::ranges::max_element(idle_, {}, &Arena::bytes);
    if (best != idle_.end()) {
      Arena arena = std::move(*best);
      idle_.erase(best);
      if (fits) return arena;
    }  // one that is too small is freed here
  }
  return {allocate_(bytes), bytes};
}

void ArenaPool::give_back(Arena arena) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(arena));
  free_unneeded();
}

std::size_t ArenaPool::idle_bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const Arena& arena : idle_) bytes += arena.bytes;
  return bytes;
}

void ArenaPool::free_unneeded() {
  const std::size_t most = announced_.empty() ? 0 : *announced_.rbegin();
  std::erase_if(idle_, [&](const Arena& arena) { return arena.bytes > most; });
}

}  // namespace fastcnn
