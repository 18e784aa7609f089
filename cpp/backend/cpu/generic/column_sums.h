// Sums of the columns of a matrix: the gradient of a bias.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// Four vectors of columns at a time, so that a cache line is read whole and four sums are in flight.
template <class V>
void column_sums(const typename V::T* x, int64_t rows, int64_t cols, int64_t ldx, typename V::T* sums) {
  constexpr int64_t block = 4 * V::size;
  int64_t j = 0;
  for (; j + block <= cols; j += block) {
    V s0{}, s1{}, s2{}, s3{};
    for (const typename V::T* row = x + j; row < x + j + rows * ldx; row += ldx) {
      s0 = s0 + V::load(row);
      s1 = s1 + V::load(row + V::size);
      s2 = s2 + V::load(row + 2 * V::size);
      s3 = s3 + V::load(row + 3 * V::size);
    }
    s0.store(sums + j);
    s1.store(sums + j + V::size);
    s2.store(sums + j + 2 * V::size);
    s3.store(sums + j + 3 * V::size);
  }
  for (; j < cols; j += V::size) {
    const int64_t count = cols - j < V::size ? cols - j : V::size;
    V sum{};
    for (int64_t i = 0; i < rows; ++i) sum = sum + V::load_partial(x + i * ldx + j, count);
    sum.store_partial(sums + j, count);
  }
}

}  // namespace fastcnn::generic
