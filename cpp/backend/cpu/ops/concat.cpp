#include "ops/concat.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/axis_rows.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

void forward(const Concat& op, const StepArgs& args) {
  const int axis = check_axis(op.axis(), args.y[0].spec.shape.rank());
  const AxisRows y = axis_rows(args.y[0].spec, axis);
  std::byte* to = args.y[0].as<std::byte>();
  for (const ConstView& x : args.x) {
    const std::int64_t bytes = axis_rows(x.spec, axis).row_bytes;
    copy_rows(x.as<std::byte>(), bytes, to, y.row_bytes, y.rows, bytes);
    to += bytes;
  }
}

void backward(const Concat& op, const StepArgs& args) {
  const int axis = check_axis(op.axis(), args.dy[0].spec.shape.rank());
  const AxisRows y = axis_rows(args.dy[0].spec, axis);
  const std::byte* from = args.dy[0].as<std::byte>();
  for (const View& dx : args.dx) {
    const std::int64_t bytes = axis_rows(dx.spec, axis).row_bytes;
    if (dx) copy_rows(from, y.row_bytes, dx.as<std::byte>(), bytes, y.rows, bytes);
    from += bytes;
  }
}

}  // namespace

KernelPtr make_concat(const KernelRequest& request) {
  return make_kernel<Concat>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
