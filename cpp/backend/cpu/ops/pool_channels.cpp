#include "ops/pool_channels.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/pool2d.h"

namespace fastcnn {
namespace {

// Calls body(first pixel, number of pixels) for pieces of the batch.
template <class F>
void for_pixels(const Spec& x, F body) {
  const std::int64_t channels = x.shape[1], pixels = channels > 0 ? x.shape.numel() / channels : 0;
  parallel_ranges(pixels, 2 * channels, [&](std::int64_t begin, std::int64_t end) { body(begin, end - begin); });
}

void forward(const PoolChannels& op, const StepArgs& args) {
  const Spec& x = args.x[0].spec;
  const PoolAxis windows = op.axis(x.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    for_pixels(x, [&](std::int64_t pixel, std::int64_t pixels) {
      const T* from = args.x[0].as<T>() + pixel * windows.in;
      T* y = args.y[0].as<T>() + pixel * windows.out;
      auto* index = static_cast<std::uint16_t*>(args.saved);
      if (op.pool() == PoolKind::max)
        kernels<T>().max_pool_channels(windows, from, pixels, y, index ? index + pixel * windows.out : nullptr);
      else
        kernels<T>().avg_pool_channels(windows, from, pixels, y);
    });
  });
}

void backward(const PoolChannels& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const Spec& x = args.dx[0].spec;
  const PoolAxis windows = op.axis(x.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    for_pixels(x, [&](std::int64_t pixel, std::int64_t pixels) {
      const T* dy = args.dy[0].as<T>() + pixel * windows.out;
      T* dx = args.dx[0].as<T>() + pixel * windows.in;
      const auto* index = static_cast<const std::uint16_t*>(args.saved);
      if (op.pool() == PoolKind::max)
        kernels<T>().max_pool_channels_gradient(windows, dy, index + pixel * windows.out, pixels, dx);
      else
        kernels<T>().avg_pool_channels_gradient(windows, dy, pixels, dx);
    });
  });
}

}  // namespace

KernelPtr make_pool_channels(const KernelRequest& request) {
  return make_kernel<PoolChannels>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
