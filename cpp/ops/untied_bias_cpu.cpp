#include <algorithm>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "ops/parallel.h"
#include "ops/untied_bias.h"

namespace fastcnn {
namespace {

constexpr std::int64_t width = 512;  // elements of a sample that one task goes over in backward

}  // namespace

void UntiedBias::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const std::int64_t size = args.x[1].spec.shape.numel();
    const T* const x = args.x[0].as<T>();
    const T* const b = args.x[1].as<T>();
    T* const y = args.y.as<T>();
    parallel_ranges(args.y.spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end;) {
        const std::int64_t count = std::min(end - i, size - i % size);
        kernels<T>().add(x + i, b + i % size, y + i, count);
        i += count;
      }
      if (f_.kind != Activation::Kind::identity) kernels<T>().activation(f_, y + begin, y + begin, end - begin);
    });
  });
}

// dx = dy f'(y), and db its sum over the batch; dx may be dy.
void UntiedBias::backward(const BackwardArgs& args) const {
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const std::int64_t n = args.dy.spec.shape[0];
    const std::int64_t size = args.dx[1].spec.shape.numel();
    const T* const y = args.y.as<T>();
    T* const dy = args.dy.as<T>();
    T* const dz = args.dx[0] ? args.dx[0].as<T>() : dy;
    T* const db = args.dx[1].as<T>();
    const std::int64_t bytes = 3 * n * std::min(size, width) * static_cast<std::int64_t>(sizeof(T));
    parallel_for(ceil_div(size, width), bytes, [&](std::int64_t task, int) {
      const std::int64_t first = task * width;
      const std::int64_t count = std::min(width, size - first);
      const bool is_done = dz == dy && f_.kind == Activation::Kind::identity;
      for (std::int64_t i = first; i < n * size && !is_done; i += size)
        kernels<T>().activation_gradient(f_, nullptr, y != nullptr ? y + i : nullptr, dy + i, dz + i, count);
      if (db != nullptr) kernels<T>().column_sums(dz + first, n, count, size, db + first);
    });
  });
}

}  // namespace fastcnn
