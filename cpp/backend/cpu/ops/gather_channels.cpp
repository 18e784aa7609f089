#include "ops/gather_channels.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/error.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

void check_index(const std::int64_t* index, std::int64_t count, std::int64_t channels) {
  for (std::int64_t j = 0; j < count; ++j)
    if (index[j] < 0 || index[j] >= channels)
      throw ValueError("index " + std::to_string(index[j]) + " at place " + std::to_string(j) +
                       " is out of range, expected 0 to " + std::to_string(channels - 1));
}

// Channels lie innermost: calls body(begin, end) for the pixels of x.
template <class F>
void for_pixels(const Spec& x, std::int64_t channels, std::int64_t gathered, F body) {
  const std::int64_t pixels = channels > 0 ? x.shape.numel() / channels : 0;
  parallel_ranges(pixels, (channels + gathered) * static_cast<std::int64_t>(size_of(x.dtype)), body);
}

// Throws ValueError naming an index outside of [0, c).
void forward(const GatherChannels&, const StepArgs& args) {
  const std::int64_t channels = args.x[0].spec.shape[1];
  const std::int64_t gathered = args.y[0].spec.shape[1];
  const auto* const index = args.x[1].as<std::int64_t>();
  check_index(index, gathered, channels);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    for_pixels(args.x[0].spec, channels, gathered, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t pixel = begin; pixel < end; ++pixel) {
        const T* const x = args.x[0].as<T>() + pixel * channels;
        T* const y = args.y[0].as<T>() + pixel * gathered;
        for (std::int64_t j = 0; j < gathered; ++j) y[j] = x[index[j]];
      }
    });
  });
}

void backward(const GatherChannels&, const StepArgs& args) {
  if (!args.dx[0]) return;
  const std::int64_t channels = args.dx[0].spec.shape[1];
  const std::int64_t gathered = args.dy[0].spec.shape[1];
  const auto* const index = args.x[1].as<std::int64_t>();
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    for_pixels(args.dx[0].spec, channels, gathered, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t pixel = begin; pixel < end; ++pixel) {
        const T* const dy = args.dy[0].as<T>() + pixel * gathered;
        T* const dx = args.dx[0].as<T>() + pixel * channels;
        std::fill_n(dx, channels, T{0});
        for (std::int64_t j = 0; j < gathered; ++j) dx[index[j]] += dy[j];
      }
    });
  });
}

}  // namespace

KernelPtr make_gather_channels(const KernelRequest& request) {
  return make_kernel<GatherChannels>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
