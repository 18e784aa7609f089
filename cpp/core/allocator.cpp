#include "core/allocator.h"

#include <cstring>
#include <new>

namespace fastcnn {

void AlignedDelete::operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{alignment}); }

Buffer allocate(std::size_t bytes) {
  const std::size_t size = align_up(bytes > 0 ? bytes : 1);
  auto* p = static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignment}));
  std::memset(p, 0, size);
  return Buffer(p);
}

}  // namespace fastcnn
