#include <cstring>

#include "ops/checks.h"
#include "ops/concat.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

// In storage, a tensor is `rows` rows of `row_bytes` bytes, the axis being the outermost of a row.
struct Rows {
  std::int64_t rows = 1, row_bytes = 1;
};

Rows rows_of(const Spec& spec, int axis) {
  // Storage order of the axes: channels last for rank 4.
  const bool channels_last = spec.shape.rank() == 4;
  const int order[] = {0, channels_last ? 2 : 1, channels_last ? 3 : 2, channels_last ? 1 : 3, 4, 5};
  Rows result{1, static_cast<std::int64_t>(size_of(spec.dtype))};
  bool inside = false;
  for (int i = 0; i < spec.shape.rank(); ++i) {
    inside = inside || order[i] == axis;
    (inside ? result.row_bytes : result.rows) *= spec.shape[order[i]];
  }
  return result;
}

// Copies all rows, `bytes` bytes of each.
void copy_rows(const std::byte* from, std::int64_t from_stride, std::byte* to, std::int64_t to_stride,
               std::int64_t rows, std::int64_t bytes) {
  if (rows == 1) return parallel_copy(from, to, bytes);
  parallel_ranges(rows, 2 * bytes, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, static_cast<std::size_t>(bytes));
  });
}

}  // namespace

void Concat::forward(const ForwardArgs& args) const {
  const int axis = check_axis(axis_, args.y.spec.shape.rank());
  const Rows y = rows_of(args.y.spec, axis);
  std::byte* to = args.y.as<std::byte>();
  for (const ConstView& x : args.x) {
    const std::int64_t bytes = rows_of(x.spec, axis).row_bytes;
    copy_rows(x.as<std::byte>(), bytes, to, y.row_bytes, y.rows, bytes);
    to += bytes;
  }
}

void Concat::backward(const BackwardArgs& args) const {
  const int axis = check_axis(axis_, args.dy.spec.shape.rank());
  const Rows y = rows_of(args.dy.spec, axis);
  const std::byte* from = args.dy.as<std::byte>();
  for (const View& dx : args.dx) {
    const std::int64_t bytes = rows_of(dx.spec, axis).row_bytes;
    if (dx) copy_rows(from, y.row_bytes, dx.as<std::byte>(), bytes, y.rows, bytes);
    from += bytes;
  }
}

}  // namespace fastcnn
