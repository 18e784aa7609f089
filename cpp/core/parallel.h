// Cutting work for the pool, by shape alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/ceil_div.h"
#include "core/thread_pool.h"

namespace fastcnn {

// Calls body(begin, end) or body(begin, end, worker) over even pieces of [0, n) that hold at most about 16 Ki operations
// each, so that a piece stays in the nearest caches and its cut depends on n alone.
template <class F>
void parallel_ranges(std::int64_t n, std::int64_t ops_per_item, F&& body) {
  constexpr std::int64_t ops_per_task = 1 << 14;
  const std::int64_t most = std::max<std::int64_t>(1, ops_per_task / std::max<std::int64_t>(1, ops_per_item));
  const std::int64_t pieces = ceil_div(n, most);
  const std::int64_t grain = pieces > 0 ? ceil_div(n, pieces) : 1;
  const std::int64_t tasks = ceil_div(n, grain);
  parallel_for(tasks, std::min(n, grain) * ops_per_item, [&](std::int64_t task, [[maybe_unused]] int worker) {
    const std::int64_t begin = task * grain;
    const std::int64_t end = std::min(n, begin + grain);
    if constexpr (std::is_invocable_v<F&, std::int64_t, std::int64_t, int>)
      body(begin, end, worker);
    else
      body(begin, end);
  });
}

// Rows for each task, `most` or, where that cuts `all` of them into halves, down to half of it: neighbouring steps then
// meet in the middle, and each core finds in its caches what it wrote.
inline std::int64_t even_share(std::int64_t all, std::int64_t most) {
  for (std::int64_t rows = most; all % 2 == 0 && 2 * rows >= most && rows > 0; --rows) {
    if (all / 2 % rows == 0) return rows;
  }
  return most;
}

// Whether an output of so many bytes leaves the caches before it is read, so that it had better be written past
// them. Some processors have more cache than this for all threads, few have less than half of it.
inline bool outgrows_caches(std::size_t bytes) { return bytes > std::size_t{16} << 20; }

// Copies `bytes` bytes; nothing to do where both are the same memory.
inline void parallel_copy(const void* from, void* to, std::int64_t bytes) {
  if (from == to) return;
  parallel_ranges(bytes, 2, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                static_cast<std::size_t>(end - begin));
  });
}

}  // namespace fastcnn
