// A tensor in storage as rows in which one axis is the outermost: what joins and cuts along an axis.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/parallel.h"
#include "core/tensor.h"

namespace fastcnn {

struct AxisRows {
  std::int64_t rows = 1, row_bytes = 1;
};

inline AxisRows axis_rows(const Spec& spec, int axis) {
  const bool channels_last = spec.is_channels_last();
  const int order[] = {0, channels_last ? 2 : 1, channels_last ? 3 : 2, channels_last ? 1 : 3, 4, 5};
  AxisRows result{1, static_cast<std::int64_t>(size_of(spec.dtype))};
  bool inside = false;
  for (int i = 0; i < spec.shape.rank(); ++i) {
    inside = inside || order[i] == axis;
    (inside ? result.row_bytes : result.rows) *= spec.shape[order[i]];
  }
  return result;
}

// Copies all rows, `bytes` bytes of each.
inline void copy_rows(const std::byte* from, std::int64_t from_stride, std::byte* to, std::int64_t to_stride,
                      std::int64_t rows, std::int64_t bytes) {
  if (rows == 1) return parallel_copy(from, to, bytes);
  parallel_ranges(rows, 2 * bytes, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, static_cast<std::size_t>(bytes));
  });
}

}  // namespace fastcnn
