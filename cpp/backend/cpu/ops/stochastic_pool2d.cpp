#include "ops/stochastic_pool2d.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/pool2d.h"

namespace fastcnn {
namespace {

// Calls f(where in x) for the pixels of a window.
template <class F>
void for_pixels(const Pooling& p, PoolSpan rows, PoolSpan cols, F f) {
  for (std::int64_t h = rows.begin; h < rows.end; ++h)
    for (std::int64_t w = cols.begin; w < cols.end; ++w) f((h * p.w.in + w) * p.channels);
}

// Of one image, y = (sum of x^2) / (sum of x) over the positive ones: dx_i = dy (2 x_i - y) / (sum of x) for these.
// `room`: for as many numbers as channels.
template <class T>
void mean_gradient(const Pooling& p, const T* x, const T* y, const T* dy, T* room, T* dx) {
  std::fill_n(dx, p.h.in * p.w.in * p.channels, T{0});
  for (std::int64_t oh = 0; oh < p.h.out; ++oh)
    for (std::int64_t ow = 0; ow < p.w.out; ++ow, y += p.channels, dy += p.channels) {
      const PoolSpan rows = pixels_of_window(p.h, oh), cols = pixels_of_window(p.w, ow);
      std::fill_n(room, p.channels, T{0});
      for_pixels(p, rows, cols, [&](std::int64_t at) {
        for (std::int64_t c = 0; c < p.channels; ++c) room[c] += std::max(x[at + c], T{0});
      });
      for (std::int64_t c = 0; c < p.channels; ++c) room[c] = room[c] > 0 ? dy[c] / room[c] : T{0};
      for_pixels(p, rows, cols, [&](std::int64_t at) {
        for (std::int64_t c = 0; c < p.channels; ++c)
          dx[at + c] += (x[at + c] > 0 ? room[c] : T{0}) * (2 * x[at + c] - y[c]);
      });
    }
}

void forward(const StochasticPool2d& op, const StepArgs& args) {
  const Pooling p = op.pooling(args.x[0].spec.shape);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    if (!op.samples() || !args.run->training)
      return pool_forward<T>(p, {}, args, [&](std::int64_t pixel, std::int64_t pixel_end) {
        kernels<T>().weighted_pool2d(p, x, pixel, pixel_end, y);
      });
    const RandomState& state = args.run->random;
    const RandomWords words{.seed = state.seed, .counter = state.stream(static_cast<std::uint64_t>(op.stream()))};
    with_pool_winners<T>(p, [&]<class Index>(const PoolWinnerKernels<T, Index>& winners) {
      pool_forward<T>(p, {}, args, [&](std::int64_t pixel, std::int64_t pixel_end) {
        winners.stochastic_pool2d(p, words, x, pixel, pixel_end, y, static_cast<Index*>(args.saved));
      });
    });
  });
}

void mean_backward(const StochasticPool2d& op, const StepArgs& args) {
  const Shape& shape = args.dx[0].spec.shape;
  const Pooling p = op.pooling(shape);
  const std::int64_t x_image = p.h.in * p.w.in * p.channels, y_image = p.h.out * p.w.out * p.channels;
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    parallel_for(shape[0], 4 * x_image, [&](std::int64_t image, int worker) {
      const std::int64_t from = image * x_image, to = image * y_image;
      mean_gradient(p, args.x[0].as<T>() + from, args.y[0].as<T>() + to, args.dy[0].as<T>() + to,
                    args.scratch.of_worker<T>(worker), args.dx[0].as<T>() + from);
    });
  });
}

void backward(const StochasticPool2d& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  if (op.samples()) return pool_winners_backward(op.pooling(args.dx[0].spec.shape), {}, args);
  mean_backward(op, args);
}

// Of the mean's gradient: the sums of a window.
ScratchSize scratch(const StochasticPool2d& op, Specs x, Pass pass) {
  if (op.samples() || pass != Pass::backward) return {};
  return {.per_thread = static_cast<std::size_t>(x[0].shape[1]) * size_of(x[0].dtype)};
}

}  // namespace

KernelPtr make_stochastic_pool2d(const KernelRequest& request) {
  return make_kernel<StochasticPool2d>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
