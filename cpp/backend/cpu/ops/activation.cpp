#include "ops/activation.h"

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

void forward(const ActivationOp& op, const StepArgs& args) {
  const Activation& f = op.function();
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    parallel_ranges(args.y[0].spec.shape.numel(), cost_of(f) + 2 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation(f, x + begin, y + begin, end - begin);
    });
  });
}

void backward(const ActivationOp& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const Activation& f = op.function();
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    const T* y = args.y[0].as<T>();
    const T* dy = args.dy[0].as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(args.dy[0].spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation_gradient(f, x ? x + begin : nullptr, y ? y + begin : nullptr, dy + begin, dx + begin,
                                       end - begin);
    });
  });
}

}  // namespace

KernelPtr make_activation(const KernelRequest& request) {
  return make_kernel<ActivationOp>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
