#include "ops/softmax.h"

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

struct Rows {
  std::int64_t count, size;
};

// The distributions, which lie one after another in storage.
Rows rows_of(const Spec& spec) {
  const std::int64_t size = spec.shape[spec.is_channels_last() ? 1 : spec.shape.rank() - 1];
  return {size > 0 ? spec.shape.numel() / size : 0, size};
}

void forward(const Softmax&, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const Rows rows = rows_of(args.y[0].spec);
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    parallel_ranges(rows.count, 40 * rows.size, [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().softmax(x + begin * rows.size, y + begin * rows.size, end - begin, rows.size);
    });
  });
}

void backward(const Softmax&, const StepArgs& args) {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const Rows rows = rows_of(args.dy[0].spec);
    const T* y = args.y[0].as<T>();
    const T* dy = args.dy[0].as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(rows.count, 3 * rows.size * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t at = begin * rows.size;
      kernels<T>().softmax_gradient(y + at, dy + at, dx + at, end - begin, rows.size);
    });
  });
}

}  // namespace

KernelPtr make_softmax(const KernelRequest& request) {
  return make_kernel<Softmax>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
