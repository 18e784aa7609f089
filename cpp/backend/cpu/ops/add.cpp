#include "ops/add.h"

#include <algorithm>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// y[i] = sum over the inputs of their coefficient times element i, for [begin, end); y may be any of the inputs.
template <class T, class Coefficient>
void weighted_sum(std::span<const ConstView> x, Coefficient coefficient, T* y, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t block = 512;
  T sums[block];
  for (std::int64_t at = begin; at < end; at += block) {
    const std::int64_t count = std::min(block, end - at);
    std::fill_n(sums, count, T{0});
    for (std::size_t input = 0; input < x.size(); ++input) {
      const T c = static_cast<T>(coefficient(input));
      const T* from = x[input].template as<T>() + at;
      for (std::int64_t i = 0; i < count; ++i) sums[i] += c * from[i];
    }
    std::copy_n(sums, count, y + at);
  }
}

template <class T>
void scale(T factor, const T* x, T* y, std::int64_t n) {
  if (factor == T{1}) {
    if (x != y) std::copy_n(x, n, y);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = factor * x[i];
  }
}

void forward(const Add& op, const StepArgs& args) {
  const bool is_plain = args.x.size() == 2 && op.coefficients().empty();
  const Activation& f = op.activation();
  const auto inputs = static_cast<std::int64_t>(args.x.size());
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    T* y = args.y[0].as<T>();
    const std::int64_t bytes = (inputs + 1) * std::int64_t{sizeof(T)};
    parallel_ranges(args.y[0].spec.shape.numel(), bytes, [&](std::int64_t begin, std::int64_t end) {
      if (is_plain)
        kernels<T>().add(args.x[0].as<T>() + begin, args.x[1].as<T>() + begin, y + begin, end - begin);
      else
        weighted_sum(args.x, [&](std::size_t i) { return op.coefficient(i); }, y, begin, end);
      if (f.kind != Activation::Kind::identity) kernels<T>().activation(f, y + begin, y + begin, end - begin);
    });
  });
}

// dy f'(y), made in place of dy, times each coefficient; the first gradient, whose memory may be dy's, is the last.
void backward(const Add& op, const StepArgs& args) {
  const Activation& f = op.activation();
  const auto inputs = static_cast<std::int64_t>(args.dx.size());
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const T* y = args.y[0].as<T>();
    T* dy = args.dy[0].as<T>();
    const std::int64_t bytes = (inputs + 2) * std::int64_t{sizeof(T)};
    parallel_ranges(args.dy[0].spec.shape.numel(), bytes, [&](std::int64_t begin, std::int64_t end) {
      if (f.kind != Activation::Kind::identity)
        kernels<T>().activation_gradient(f, nullptr, y != nullptr ? y + begin : nullptr, dy + begin, dy + begin,
                                         end - begin);
      for (std::size_t i = args.dx.size(); i-- > 0;)
        if (args.dx[i]) scale(static_cast<T>(op.coefficient(i)), dy + begin, args.dx[i].as<T>() + begin, end - begin);
    });
  });
}

}  // namespace

KernelPtr make_add(const KernelRequest& request) {
  return make_kernel<Add>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
