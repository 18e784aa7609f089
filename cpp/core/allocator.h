// Memory aligned for the widest vector and for cache lines.
#pragma once

#include <cstddef>
#include <memory>

namespace fastcnn {

inline constexpr std::size_t alignment = 64;

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// Memory of the host or of a device, freed with its last owner.
using Buffer = std::shared_ptr<std::byte>;

// Of the host: zeroed, `alignment`-aligned; never null, also for 0 bytes. Throws std::bad_alloc.
Buffer allocate(std::size_t bytes);

}  // namespace fastcnn
