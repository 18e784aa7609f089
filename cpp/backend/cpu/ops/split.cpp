#include "ops/split.h"

#include <cstring>

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/axis_rows.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

void forward(const Split& op, const StepArgs& args) {
  const int axis = check_axis(op.axis(), args.x[0].spec.shape.rank());
  const AxisRows x = axis_rows(args.x[0].spec, axis);
  const std::byte* from = args.x[0].as<std::byte>();
  for (const View& y : args.y) {
    const std::int64_t bytes = axis_rows(y.spec, axis).row_bytes;
    copy_rows(from, x.row_bytes, y.as<std::byte>(), bytes, x.rows, bytes);
    from += bytes;
  }
}

// A part whose gradient doesn't arrive has one of zeros.
void backward(const Split& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const int axis = check_axis(op.axis(), args.dx[0].spec.shape.rank());
  const AxisRows x = axis_rows(args.dx[0].spec, axis);
  std::byte* to = args.dx[0].as<std::byte>();
  for (const View& dy : args.dy) {
    const std::int64_t bytes = axis_rows(dy.spec, axis).row_bytes;
    if (dy) {
      copy_rows(dy.as<std::byte>(), bytes, to, x.row_bytes, x.rows, bytes);
    } else {
      parallel_ranges(x.rows, bytes, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
          std::memset(to + i * x.row_bytes, 0, static_cast<std::size_t>(bytes));
      });
    }
    to += bytes;
  }
}

}  // namespace

KernelPtr make_split(const KernelRequest& request) {
  return make_kernel<Split>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
