#include "ops/avg_pool2d.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/pool2d.h"

namespace fastcnn {
namespace {

void forward(const AvgPool2d& op, const StepArgs& args) {
  const Pooling p = op.pooling(args.x[0].spec.shape);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    pool_forward<T>(p, op.activation(), args, [&](std::int64_t pixel, std::int64_t pixel_end) {
      kernels<T>().avg_pool2d(p, args.x[0].as<T>(), pixel, pixel_end, args.y[0].as<T>());
    });
  });
}

void backward(const AvgPool2d& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const Pooling p = op.pooling(args.dx[0].spec.shape);
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    pool_backward<T>(p, op.activation(), args, [&](const PoolBand& band, const T* dz) {
      T* dx = args.dx[0].as<T>() + band.image * p.h.in * p.w.in * p.channels;
      kernels<T>().avg_pool2d_gradient(p, band.dy_row, dz, band.begin, band.end, dx);
    });
  });
}

ScratchSize scratch(const AvgPool2d& op, Specs x, Pass pass) {
  if (pass != Pass::backward) return {};
  return pool_scratch(op.pooling(x[0].shape), op.activation(), x[0].dtype);
}

}  // namespace

KernelPtr make_avg_pool2d(const KernelRequest& request) {
  return make_kernel<AvgPool2d>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
