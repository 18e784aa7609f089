#include "ops/gaussian_blur.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// y = factor x, or y + factor x.
template <class T>
void add_scaled(bool first, T factor, const T* x, T* y, std::int64_t n) {
  if (first)
    for (std::int64_t i = 0; i < n; ++i) y[i] = factor * x[i];
  else
    for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

// Down the columns into a row between zeros, then along that row: both go over whole rows, whatever the channels.
void apply(const GaussianBlur& op, ConstView x, View y, const Scratch& scratch) {
  const Shape& shape = x.spec.shape;
  const std::int64_t channels = shape[1], h = shape[2], row = shape[3] * channels;
  const auto taps = static_cast<std::int64_t>(op.filter().size()), radius = taps / 2;
  dispatch_floating(x.spec.dtype, [&]<class T>() {
    const auto factor = [&](std::int64_t tap) { return static_cast<T>(op.filter()[static_cast<std::size_t>(tap)]); };
    parallel_ranges(shape[0] * h, 2 * taps * row, [&](std::int64_t begin, std::int64_t end, int worker) {
      T* const padded = scratch.of_worker<T>(worker);
      T* const middle = padded + radius * channels;
      std::fill(padded, middle, T{0});
      std::fill_n(middle + row, radius * channels, T{0});
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t first = std::max<std::int64_t>(0, radius - i % h);
        const std::int64_t last = std::min(taps, radius + h - i % h);
        const T* column = x.as<T>() + (i - radius) * row;
        for (std::int64_t tap = first; tap < last; ++tap)
          add_scaled(tap == first, factor(tap), column + tap * row, middle, row);
        for (std::int64_t tap = 0; tap < taps; ++tap)
          add_scaled(tap == 0, factor(tap), padded + tap * channels, y.as<T>() + i * row, row);
      }
    });
  });
}

void forward(const GaussianBlur& op, const StepArgs& args) { apply(op, args.x[0], args.y[0], args.scratch); }

// The filter is symmetric.
void backward(const GaussianBlur& op, const StepArgs& args) {
  if (args.dx[0]) apply(op, args.dy[0], args.dx[0], args.scratch);
}

// One row of an image between zeros.
ScratchSize scratch(const GaussianBlur& op, Specs x, Pass) {
  const std::int64_t pixels = x[0].shape[3] + static_cast<std::int64_t>(op.filter().size()) - 1;
  return {.per_thread = static_cast<std::size_t>(pixels * x[0].shape[1]) * size_of(x[0].dtype)};
}

}  // namespace

KernelPtr make_gaussian_blur(const KernelRequest& request) {
  return make_kernel<GaussianBlur>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
