// Where elements lie, from the rule of core/tensor.h alone: the oracle of the tests.
#pragma once

#include <cstdint>

#include "core/shape.h"

namespace fastcnn::reference {

// Offset in storage of the element that comes `index`-th in row-major order of the logical shape.
inline std::int64_t storage_index(const Shape& shape, std::int64_t index) {
  if (shape.rank() != 4) return index;
  const std::int64_t w = index % shape[3];
  const std::int64_t h = index / shape[3] % shape[2];
  const std::int64_t c = index / (shape[3] * shape[2]) % shape[1];
  const std::int64_t n = index / (shape[3] * shape[2] * shape[1]);
  return ((n * shape[2] + h) * shape[3] + w) * shape[1] + c;
}

}  // namespace fastcnn::reference
