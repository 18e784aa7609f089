#include <algorithm>

#include "core/ceil_div.h"
#include "cpu/kernels.h"
#include "ops/dropout.h"
#include "ops/parallel.h"

namespace fastcnn {

void Dropout::apply(ConstView x, View y, const RunContext& run) const {
  if (!run.training && scaling_ == Scaling::inference) return scale(x, y);
  if (!run.training || p_ == 0) return parallel_copy(x.data, y.data, static_cast<std::int64_t>(y.spec.bytes()));
  const double kept = scaling_ == Scaling::training ? 1 / (1 - p_) : 1.0;
  const DropoutMask mask = {
      .random = {.seed = run.random.seed, .counter = run.random.stream(static_cast<std::uint64_t>(stream_))},
      .threshold = static_cast<std::uint32_t>(std::min(p_ * 0x1p32, 0x1p32 - 1)),
      .scale = p_ < 1 ? kept : 0.0,
  };
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    constexpr std::int64_t block = 1024;
    const std::int64_t n = y.spec.shape.numel();
    const std::int64_t bytes = 2 * block * std::int64_t{sizeof(T)};
    parallel_ranges(ceil_div(n, block), bytes, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t begin = first * block, end = std::min(n, last * block);
      kernels<T>().dropout(mask, begin, x.as<T>() + begin, y.as<T>() + begin, end - begin);
    });
  });
}

void Dropout::scale(ConstView x, View y) const {
  const Activation factor{.kind = Activation::Kind::linear, .a = 1 - p_, .b = 0};
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    parallel_ranges(y.spec.shape.numel(), 2 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation(factor, x.as<T>() + begin, y.as<T>() + begin, end - begin);
    });
  });
}

void Dropout::forward(const ForwardArgs& args) const { apply(args.x[0], args.y, *args.run); }

void Dropout::backward(const BackwardArgs& args) const {
  if (args.dx[0]) apply(args.dy, args.dx[0], *args.run);
}

}  // namespace fastcnn
