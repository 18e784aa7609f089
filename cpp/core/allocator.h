// Memory aligned for the widest vector and for cache lines.
#pragma once

#include <cstddef>
#include <memory>

namespace fastcnn {

inline constexpr std::size_t alignment = 64;

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

struct AlignedDelete {
  void operator()(std::byte* p) const;
};

using Buffer = std::unique_ptr<std::byte[], AlignedDelete>;

// Zeroed, `alignment`-aligned; never null, also for 0 bytes. Throws std::bad_alloc.
Buffer allocate(std::size_t bytes);

}  // namespace fastcnn
