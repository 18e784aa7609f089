#include "ops/axis_rows.h"
#include "ops/checks.h"
#include "ops/slice.h"

namespace fastcnn {

void Slice::forward(const ForwardArgs& args) const {
  const int axis = check_axis(axis_, args.y.spec.shape.rank());
  const AxisRows x = axis_rows(args.x[0].spec, axis), y = axis_rows(args.y.spec, axis);
  const std::byte* from = args.x[0].as<std::byte>() + y.row_bytes / (stop_ - start_) * start_;
  copy_rows(from, x.row_bytes, args.y.as<std::byte>(), y.row_bytes, y.rows, y.row_bytes);
}

void Slice::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  const int axis = check_axis(axis_, args.dy.spec.shape.rank());
  const AxisRows x = axis_rows(args.dx[0].spec, axis), y = axis_rows(args.dy.spec, axis);
  const std::int64_t before = y.row_bytes / (stop_ - start_) * start_;
  const std::int64_t after = x.row_bytes - before - y.row_bytes;
  const std::byte* dy = args.dy.as<std::byte>();
  std::byte* dx = args.dx[0].as<std::byte>();
  parallel_ranges(x.rows, 2 * x.row_bytes, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::byte* row = dx + i * x.row_bytes;
      std::memset(row, 0, static_cast<std::size_t>(before));
      std::memcpy(row + before, dy + i * y.row_bytes, static_cast<std::size_t>(y.row_bytes));
      std::memset(row + before + y.row_bytes, 0, static_cast<std::size_t>(after));
    }
  });
}

}  // namespace fastcnn
