#include "ops/dropout.h"

#include <algorithm>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// y = x (1 - p).
void scale(const Dropout& op, ConstView x, View y) {
  const Activation factor{.kind = Activation::Kind::linear, .a = 1 - op.p(), .b = 0};
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    parallel_ranges(y.spec.shape.numel(), 2 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation(factor, x.as<T>() + begin, y.as<T>() + begin, end - begin);
    });
  });
}

// y = x times the mask and its scale.
void apply(const Dropout& op, ConstView x, View y, const RunContext& run) {
  if (!run.training && op.scaling() == Dropout::Scaling::inference) return scale(op, x, y);
  if (!run.training || op.p() == 0) return parallel_copy(x.data, y.data, static_cast<std::int64_t>(y.spec.bytes()));
  const double kept = op.scaling() == Dropout::Scaling::training ? 1 / (1 - op.p()) : 1.0;
  const DropoutMask mask = {
      .random = {.seed = run.random.seed, .counter = run.random.stream(static_cast<std::uint64_t>(op.stream()))},
      .threshold = static_cast<std::uint32_t>(std::min(op.p() * 0x1p32, 0x1p32 - 1)),
      .scale = op.p() < 1 ? kept : 0.0,
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

void forward(const Dropout& op, const StepArgs& args) { apply(op, args.x[0], args.y[0], *args.run); }

void backward(const Dropout& op, const StepArgs& args) {
  if (args.dx[0]) apply(op, args.dy[0], args.dx[0], *args.run);
}

}  // namespace

KernelPtr make_dropout(const KernelRequest& request) {
  return make_kernel<Dropout>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
