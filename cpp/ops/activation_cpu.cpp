#include "cpu/kernels.h"
#include "ops/activation.h"
#include "ops/parallel.h"

namespace fastcnn {

void ActivationOp::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    T* y = args.y.as<T>();
    parallel_ranges(args.y.spec.shape.numel(), cost_of(f_) + 2 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation(f_, x + begin, y + begin, end - begin);
    });
  });
}

void ActivationOp::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    const T* y = args.y.as<T>();
    const T* dy = args.dy.as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(args.dy.spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation_gradient(f_, x ? x + begin : nullptr, y ? y + begin : nullptr, dy + begin, dx + begin,
                                       end - begin);
    });
  });
}

}  // namespace fastcnn
