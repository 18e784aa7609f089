#include "ops/slice.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/axis_rows.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

void forward(const Slice& op, const StepArgs& args) {
  const int axis = check_axis(op.axis(), args.y[0].spec.shape.rank());
  const AxisRows x = axis_rows(args.x[0].spec, axis), y = axis_rows(args.y[0].spec, axis);
  const std::byte* from = args.x[0].as<std::byte>() + y.row_bytes / (op.stop() - op.start()) * op.start();
  copy_rows(from, x.row_bytes, args.y[0].as<std::byte>(), y.row_bytes, y.rows, y.row_bytes);
}

void backward(const Slice& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const int axis = check_axis(op.axis(), args.dy[0].spec.shape.rank());
  const AxisRows x = axis_rows(args.dx[0].spec, axis), y = axis_rows(args.dy[0].spec, axis);
  const std::int64_t before = y.row_bytes / (op.stop() - op.start()) * op.start();
  const std::int64_t after = x.row_bytes - before - y.row_bytes;
  const std::byte* dy = args.dy[0].as<std::byte>();
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

}  // namespace

KernelPtr make_slice(const KernelRequest& request) {
  return make_kernel<Slice>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
