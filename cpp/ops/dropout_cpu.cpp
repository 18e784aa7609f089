#include "core/random.h"
#include "ops/dropout.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

// Which random words are dropped, and what the others' elements are multiplied by.
struct Mask {
  std::uint64_t seed, counter;
  std::uint64_t threshold;  // words below it are dropped
  double scale;
};

constexpr std::int64_t block = 1024;  // elements whose words are drawn at once

// The n elements of block `index`: word i % 4 of counter i / 4 decides element i of the tensor.
template <class T>
void apply_mask(const Mask& mask, std::int64_t index, const T* x, T* y, std::int64_t n) {
  std::uint32_t words[block];
  philox_words(mask.seed, mask.counter, static_cast<std::uint64_t>(index * (block / 4)), (n + 3) / 4, words);
  const T factor[] = {static_cast<T>(mask.scale), 0};
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * factor[words[i] < mask.threshold];
}

}  // namespace

void Dropout::apply(ConstView x, View y, const RunContext& run) const {
  if (!run.training || p_ == 0) return parallel_copy(x.data, y.data, static_cast<std::int64_t>(y.spec.bytes()));
  const Mask mask = {
      .seed = run.random.seed,
      // Past the small numbers that initialisers take as streams.
      .counter = (stream_ + 1) << 40 | (run.random.step & ((std::uint64_t{1} << 40) - 1)),
      .threshold = static_cast<std::uint64_t>(p_ * 0x1p32),
      .scale = p_ < 1 ? 1 / (1 - p_) : 0.0,
  };
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    const std::int64_t n = y.spec.shape.numel();
    parallel_ranges((n + block - 1) / block, 8 * block, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at = i * block;
        apply_mask(mask, i, x.as<T>() + at, y.as<T>() + at, std::min(block, n - at));
      }
    });
  });
}

void Dropout::forward(const ForwardArgs& args) const { apply(args.x[0], args.y, *args.run); }

void Dropout::backward(const BackwardArgs& args) const {
  if (args.dx[0]) apply(args.dy, args.dx[0], *args.run);
}

}  // namespace fastcnn
