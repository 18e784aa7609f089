#include "ops/squared_error.h"

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

constexpr std::int64_t chunk = 8192;  // elements of one partial sum

std::int64_t chunks_of(const Spec& x) { return ceil_div(x.shape.numel(), chunk); }

template <class T>
void squares(const T* x, const T* target, std::int64_t n, T* y) {
  parallel_ranges(n, 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T d = target ? x[i] - target[i] : x[i];
      y[i] = d * d;
    }
  });
}

// Partial sums by chunk, then added in order.
template <class T>
double sum_of_squares(const T* x, const T* target, std::int64_t n, T* partial) {
  const std::int64_t chunks = ceil_div(n, chunk);
  parallel_for(chunks, std::min(n, chunk) * 2 * std::int64_t{sizeof(T)}, [&](std::int64_t i, int) {
    partial[i] = kernels<T>().squared_distance(x + i * chunk, target ? target + i * chunk : nullptr,
                                               std::min(chunk, n - i * chunk));
  });
  double sum = 0;
  for (std::int64_t i = 0; i < chunks; ++i) sum += static_cast<double>(partial[i]);
  return sum;
}

ScratchSize scratch(const SquaredError& op, Specs x, Pass pass) {
  if (pass == Pass::backward || op.reduction() == Reduction::none) return {};
  return {.shared = static_cast<std::size_t>(chunks_of(x[0])) * size_of(x[0].dtype)};
}

void forward(const SquaredError& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const std::int64_t n = args.x[0].spec.shape.numel();
    const T* x = args.x[0].as<T>();
    const T* target = args.x.size() > 1 ? args.x[1].as<T>() : nullptr;
    if (op.reduction() == Reduction::none) return squares(x, target, n, args.y[0].as<T>());
    const double sum = sum_of_squares(x, target, n, args.scratch.shared<T>());
    *args.y[0].as<T>() = static_cast<T>(sum / divisor(op.reduction(), n, samples_of(args.x[0].spec.shape)));
  });
}

// dx = 2 (x - target) dy / divisor, and the opposite for the target.
void backward(const SquaredError& op, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const std::int64_t n = args.x[0].spec.shape.numel();
    const T* x = args.x[0].as<T>();
    const T* target = args.x.size() > 1 ? args.x[1].as<T>() : nullptr;
    const T* dy = args.dy[0].as<T>();
    const std::int64_t dy_step = op.reduction() == Reduction::none ? 1 : 0;
    const T factor = T{2} / static_cast<T>(divisor(op.reduction(), n, samples_of(args.x[0].spec.shape)));
    for (std::size_t input = 0; input < args.x.size(); ++input) {
      if (!args.dx[input]) continue;
      T* dx = args.dx[input].as<T>();
      const T signed_factor = input == 0 ? factor : -factor;
      parallel_ranges(n, 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
          dx[i] = signed_factor * dy[i * dy_step] * (target ? x[i] - target[i] : x[i]);
      });
    }
  });
}

}  // namespace

KernelPtr make_squared_error(const KernelRequest& request) {
  return make_kernel<SquaredError>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
