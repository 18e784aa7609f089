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

// Elements [begin, end), begin a multiple of 4: word i % 4 of block i / 4 decides element i.
template <class T>
void apply_mask(const Mask& mask, const T* x, T* y, std::int64_t begin, std::int64_t end) {
  const T scale = static_cast<T>(mask.scale);
  for (std::int64_t i = begin; i < end; i += 4) {
    const auto words = philox(mask.seed, mask.counter, static_cast<std::uint64_t>(i) / 4);
    const std::int64_t count = std::min<std::int64_t>(4, end - i);
    for (std::int64_t j = 0; j < count; ++j)
      y[i + j] = words[static_cast<std::size_t>(j)] < mask.threshold ? T{0} : x[i + j] * scale;
  }
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
    parallel_ranges((n + 3) / 4, 100, [&](std::int64_t begin, std::int64_t end) {
      apply_mask(mask, x.as<T>(), y.as<T>(), 4 * begin, std::min(n, 4 * end));
    });
  });
}

void Dropout::forward(const ForwardArgs& args) const { apply(args.x[0], args.y, *args.run); }

void Dropout::backward(const BackwardArgs& args) const {
  if (args.dx[0]) apply(args.dy, args.dx[0], *args.run);
}

}  // namespace fastcnn
