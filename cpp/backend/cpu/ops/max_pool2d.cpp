#include "ops/max_pool2d.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/pool2d.h"

namespace fastcnn {
namespace {

// From the number of the winner within its window to its place in the image.
template <class Index>
void write_indices(const Pooling& p, const Index* taps, std::int64_t images, std::int64_t* y) {
  const std::int64_t tap_row = max_pixels_of_window(p.w), windows = p.h.out * p.w.out;
  parallel_ranges(images * windows, p.channels * std::int64_t{sizeof(std::int64_t)},
                  [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const std::int64_t window = pixel % windows;
      const std::int64_t row = pixels_of_window(p.h, window / p.w.out).begin;
      const std::int64_t col = pixels_of_window(p.w, window % p.w.out).begin;
      for (std::int64_t i = pixel * p.channels; i < (pixel + 1) * p.channels; ++i)
        y[i] = (row + taps[i] / tap_row) * p.w.in + col + taps[i] % tap_row;
    }
  });
}

void forward(const MaxPool2d& op, const StepArgs& args) {
  const Pooling p = op.pooling(args.x[0].spec.shape);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    with_pool_winners<T>(p, [&]<class Index>(const PoolWinnerKernels<T, Index>& winners) {
      Index* taps = static_cast<Index*>(args.saved);
      if (taps == nullptr && op.returns_indices()) taps = args.scratch.shared<Index>();
      pool_forward<T>(p, op.activation(), args, [&](std::int64_t pixel, std::int64_t pixel_end) {
        winners.max_pool2d(p, args.x[0].as<T>(), pixel, pixel_end, args.y[0].as<T>(), taps);
      });
      if (op.returns_indices()) write_indices(p, taps, args.x[0].spec.shape[0], args.y[1].as<std::int64_t>());
    });
  });
}

void backward(const MaxPool2d& op, const StepArgs& args) {
  if (args.dx[0]) pool_winners_backward(op.pooling(args.dx[0].spec.shape), op.activation(), args);
}

ScratchSize scratch(const MaxPool2d& op, Specs x, Pass pass) {
  const Pooling p = op.pooling(x[0].shape);
  if (pass == Pass::backward) return pool_scratch(p, op.activation(), x[0].dtype);
  return {.shared = op.returns_indices() ? pool_winners_bytes(p, x[0].shape[0]) : 0};
}

}  // namespace

KernelPtr make_max_pool2d(const KernelRequest& request) {
  return make_kernel<MaxPool2d>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
