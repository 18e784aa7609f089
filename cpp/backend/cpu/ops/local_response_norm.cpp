#include "ops/local_response_norm.h"

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

std::int64_t pixels_of(const Shape& shape) { return shape[0] * shape[2] * shape[3]; }

void forward(const LocalResponseNorm& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const std::int64_t channels = args.y[0].spec.shape[1];
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    parallel_ranges(pixels_of(args.y[0].spec.shape), channels * (op.lrn().size + 10),
                    [&](std::int64_t begin, std::int64_t end, int worker) {
                      kernels<T>().lrn(op.lrn(), x + begin * channels, y + begin * channels, end - begin, channels,
                                       args.scratch.of_worker<T>(worker));
                    });
  });
}

void backward(const LocalResponseNorm& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const std::int64_t channels = args.dy[0].spec.shape[1];
    const T* x = args.x[0].as<T>();
    const T* dy = args.dy[0].as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(pixels_of(args.dy[0].spec.shape), 2 * channels * (op.lrn().size + 10),
                    [&](std::int64_t begin, std::int64_t end, int worker) {
                      const std::int64_t at = begin * channels;
                      kernels<T>().lrn_gradient(op.lrn(), x + at, dy + at, dx + at, end - begin, channels,
                                                args.scratch.of_worker<T>(worker));
                    });
  });
}

ScratchSize scratch(const LocalResponseNorm& op, Specs x, Pass) {
  const auto elements = static_cast<std::size_t>(op.lrn().scratch(x[0].shape[1]));
  return {.per_thread = elements * size_of(x[0].dtype)};
}

}  // namespace

KernelPtr make_local_response_norm(const KernelRequest& request) {
  return make_kernel<LocalResponseNorm>(
      request, {.forward = forward, .backward = backward, .scratch = scratch, .in_place = true});
}

}  // namespace fastcnn
