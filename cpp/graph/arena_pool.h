// The working memory of runs. Executors borrow it while they run, so that models which have seen many shapes take the
// memory of the largest plan, and not of all of them.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <vector>

#include "core/allocator.h"

namespace fastcnn {

struct Arena {
  Buffer data;
  std::size_t bytes = 0;
};

// One for each device. For use by any thread.
class ArenaPool {
 public:
  explicit ArenaPool(std::function<Buffer(std::size_t)> allocate) : allocate_(std::move(allocate)) {}

  // Somebody may ask for so many bytes from now on.
  void announce(std::size_t bytes);
  // They no longer will: an idle arena that is larger than all that others announced is freed.
  void retract(std::size_t bytes);

  // At least so many bytes, with any content. Of the idle arenas that are large enough, `preferred` if it is among them,
  // else the smallest; where none is, a new one takes the place of an idle one. Throws std::bad_alloc.
  Arena take(std::size_t bytes, const std::byte* preferred = nullptr);
  void give_back(Arena arena);

  std::size_t idle_bytes() const;

 private:
  void free_unneeded();

  mutable std::mutex mutex_;
  std::function<Buffer(std::size_t)> allocate_;
  std::multiset<std::size_t> announced_;
  std::vector<Arena> idle_;
};

}  // namespace fastcnn
