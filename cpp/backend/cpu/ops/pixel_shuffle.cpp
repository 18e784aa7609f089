#include "ops/pixel_shuffle.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// `deep` has the channels and `wide` the pixels; each element of the one is copied to its place in the other.
template <class T, bool to_wide>
void move(const PixelShuffle& op, const Spec& wide, T* deep, T* pixels) {
  const std::int64_t f = op.factor(), channels = wide.shape[1];
  const std::int64_t h = wide.shape[2] / f, w = wide.shape[3] / f;
  const std::int64_t block = channels * f * f;  // of one pixel of `deep`
  const bool is_crd = op.order() == PixelShuffle::Order::crd;
  parallel_ranges(wide.shape[0] * h, 2 * w * block * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t col = 0; col < w; ++col)
        for (std::int64_t i = 0; i < f; ++i)
          for (std::int64_t j = 0; j < f; ++j) {
            T* const from = deep + (row * w + col) * block + (is_crd ? i * f + j : (i * f + j) * channels);
            T* const to = pixels + (((row * f + i) * w + col) * f + j) * channels;
            const std::int64_t step = is_crd ? f * f : 1;
            for (std::int64_t c = 0; c < channels; ++c) {
              if constexpr (to_wide)
                to[c] = from[c * step];
              else
                from[c * step] = to[c];
            }
          }
  });
}

// y = x with channels as pixels, or the other way round.
void shuffle(const PixelShuffle& op, bool to_wide, ConstView x, View y) {
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    T* const source = const_cast<T*>(x.as<T>());
    if (to_wide)
      move<T, true>(op, y.spec, source, y.as<T>());
    else
      move<T, false>(op, x.spec, y.as<T>(), source);
  });
}

void forward(const PixelShuffle& op, const StepArgs& args) { shuffle(op, !op.is_inverse(), args.x[0], args.y[0]); }

void backward(const PixelShuffle& op, const StepArgs& args) {
  if (args.dx[0]) shuffle(op, op.is_inverse(), args.dy[0], args.dx[0]);
}

}  // namespace

KernelPtr make_pixel_shuffle(const KernelRequest& request) {
  return make_kernel<PixelShuffle>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
