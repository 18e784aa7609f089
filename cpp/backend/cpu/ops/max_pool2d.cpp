#include "ops/max_pool2d.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/pool2d.h"

namespace fastcnn {
namespace {

void forward(const MaxPool2d& op, const StepArgs& args) {
  const Pooling p = op.pooling(args.x[0].spec.shape);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    with_pool_winners<T>(p, [&]<class Index>(const PoolWinnerKernels<T, Index>& winners) {
      pool_forward<T>(p, op.activation(), args, [&](std::int64_t pixel, std::int64_t pixel_end) {
        winners.max_pool2d(p, args.x[0].as<T>(), pixel, pixel_end, args.y[0].as<T>(), static_cast<Index*>(args.saved));
      });
    });
  });
}

void backward(const MaxPool2d& op, const StepArgs& args) {
  if (args.dx[0]) pool_winners_backward(op.pooling(args.dx[0].spec.shape), op.activation(), args);
}

ScratchSize scratch(const MaxPool2d& op, Specs x, Pass pass) {
  if (pass != Pass::backward) return {};
  return pool_scratch(op.pooling(x[0].shape), op.activation(), x[0].dtype);
}

}  // namespace

KernelPtr make_max_pool2d(const KernelRequest& request) {
  return make_kernel<MaxPool2d>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
