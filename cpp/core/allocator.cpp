#include "core/allocator.h"

#include <cstdint>
#include <cstring>
#include <new>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace fastcnn {
namespace {

// Large blocks ask for large pages: a matrix whose rows are a page apart would otherwise cost a walk of the
// page tables with each row, which is more than its arithmetic. All of it is touched below, so nothing is
// resident that wouldn't be otherwise.
void use_large_pages([[maybe_unused]] std::byte* p, [[maybe_unused]] std::size_t size) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t page = 4096;
  constexpr std::size_t worthwhile = std::size_t{4} << 20;
  if (size < worthwhile) return;
  const std::size_t skipped = -reinterpret_cast<std::uintptr_t>(p) % page;
  madvise(p + skipped, size - skipped, MADV_HUGEPAGE);  // advice: no harm where it is not taken
#endif
}

}  // namespace

Buffer allocate(std::size_t bytes) {
  const std::size_t size = align_up(bytes > 0 ? bytes : 1);
  auto* p = static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignment}));
  use_large_pages(p, size);
  std::memset(p, 0, size);
  return Buffer(p, [](std::byte* memory) { ::operator delete[](memory, std::align_val_t{alignment}); });
}

}  // namespace fastcnn
