#include "cpu/kernels.h"
#include "ops/parallel.h"
#include "ops/softmax.h"

namespace fastcnn {
namespace {

struct Rows {
  std::int64_t count, size;
};

// The distributions, which lie one after another in storage.
Rows rows_of(const Shape& shape) {
  const std::int64_t size = shape[shape.rank() == 4 ? 1 : shape.rank() - 1];
  return {size > 0 ? shape.numel() / size : 0, size};
}

}  // namespace

void Softmax::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const Rows rows = rows_of(args.y.spec.shape);
    const T* x = args.x[0].as<T>();
    T* y = args.y.as<T>();
    parallel_ranges(rows.count, 40 * rows.size, [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().softmax(x + begin * rows.size, y + begin * rows.size, end - begin, rows.size);
    });
  });
}

void Softmax::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const Rows rows = rows_of(args.dy.spec.shape);
    const T* y = args.y.as<T>();
    const T* dy = args.dy.as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(rows.count, 3 * rows.size * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t at = begin * rows.size;
      kernels<T>().softmax_gradient(y + at, dy + at, dx + at, end - begin, rows.size);
    });
  });
}

}  // namespace fastcnn
