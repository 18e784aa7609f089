// Where concatenation puts elements, by coordinates: the oracle of the tests.
#pragma once

#include <cstdint>

#include "core/shape.h"

namespace fastcnn::reference {

// Row-major index in the output of the element that comes `index`-th in row-major order of one input,
// which begins at `offset` along `axis`.
inline std::int64_t index_in_concat(const Shape& x, const Shape& y, int axis, std::int64_t offset, std::int64_t index) {
  std::int64_t result = 0;
  std::int64_t stride = 1;
  for (int i = x.rank() - 1; i >= 0; --i) {
    const std::int64_t coordinate = index % x[i] + (i == axis ? offset : 0);
    result += coordinate * stride;
    index /= x[i];
    stride *= y[i];
  }
  return result;
}

}  // namespace fastcnn::reference
