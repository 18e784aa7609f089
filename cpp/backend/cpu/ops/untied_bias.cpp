#include "ops/untied_bias.h"

#include <algorithm>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

constexpr std::int64_t width = 512;  // elements of a sample that one task goes over in backward

void forward(const UntiedBias& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const std::int64_t size = args.x[1].spec.shape.numel();
    const T* const x = args.x[0].as<T>();
    const T* const b = args.x[1].as<T>();
    T* const y = args.y[0].as<T>();
    parallel_ranges(args.y[0].spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end;) {
        const std::int64_t count = std::min(end - i, size - i % size);
        kernels<T>().add(x + i, b + i % size, y + i, count);
        i += count;
      }
      if (op.activation().kind != Activation::Kind::identity) kernels<T>().activation(op.activation(), y + begin, y + begin, end - begin);
    });
  });
}

// dx = dy f'(y), and db its sum over the batch; dx may be dy.
void backward(const UntiedBias& op, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const std::int64_t n = args.dy[0].spec.shape[0];
    const std::int64_t size = args.dx[1].spec.shape.numel();
    const T* const y = args.y[0].as<T>();
    T* const dy = args.dy[0].as<T>();
    T* const dz = args.dx[0] ? args.dx[0].as<T>() : dy;
    T* const db = args.dx[1].as<T>();
    const std::int64_t bytes = 3 * n * std::min(size, width) * static_cast<std::int64_t>(sizeof(T));
    parallel_for(ceil_div(size, width), bytes, [&](std::int64_t task, int) {
      const std::int64_t first = task * width;
      const std::int64_t count = std::min(width, size - first);
      const bool is_done = dz == dy && op.activation().kind == Activation::Kind::identity;
      for (std::int64_t i = first; i < n * size && !is_done; i += size)
        kernels<T>().activation_gradient(op.activation(), nullptr, y != nullptr ? y + i : nullptr, dy + i, dz + i, count);
      if (db != nullptr) kernels<T>().column_sums(dz + first, n, count, size, db + first);
    });
  });
}

}  // namespace

KernelPtr make_untied_bias(const KernelRequest& request) {
  return make_kernel<UntiedBias>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
