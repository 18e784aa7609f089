#include "ops/axis_rows.h"
#include "ops/checks.h"
#include "ops/concat.h"

namespace fastcnn {

void Concat::forward(const ForwardArgs& args) const {
  const int axis = check_axis(axis_, args.y.spec.shape.rank());
  const AxisRows y = axis_rows(args.y.spec, axis);
  std::byte* to = args.y.as<std::byte>();
  for (const ConstView& x : args.x) {
    const std::int64_t bytes = axis_rows(x.spec, axis).row_bytes;
    copy_rows(x.as<std::byte>(), bytes, to, y.row_bytes, y.rows, bytes);
    to += bytes;
  }
}

void Concat::backward(const BackwardArgs& args) const {
  const int axis = check_axis(axis_, args.dy.spec.shape.rank());
  const AxisRows y = axis_rows(args.dy.spec, axis);
  const std::byte* from = args.dy.as<std::byte>();
  for (const View& dx : args.dx) {
    const std::int64_t bytes = axis_rows(dx.spec, axis).row_bytes;
    if (dx) copy_rows(from, y.row_bytes, dx.as<std::byte>(), bytes, y.rows, bytes);
    from += bytes;
  }
}

}  // namespace fastcnn
