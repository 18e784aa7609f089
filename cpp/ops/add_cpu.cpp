#include <algorithm>

#include "cpu/kernels.h"
#include "ops/add.h"
#include "ops/parallel.h"

namespace fastcnn {

void Add::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const T* a = args.x[0].as<T>();
    const T* b = args.x[1].as<T>();
    T* y = args.y.as<T>();
    parallel_ranges(args.y.spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().add(a + begin, b + begin, y + begin, end - begin);
      if (!is_sum()) kernels<T>().activation(f_, y + begin, y + begin, end - begin);
    });
  });
}

// Both gradients are dy f'(y), written in one pass; the first may take the memory of dy.
void Add::backward(const BackwardArgs& args) const {
  if (is_sum()) {
    for (const View& dx : args.dx)
      if (dx) parallel_copy(args.dy.data, dx.data, static_cast<std::int64_t>(dx.spec.bytes()));
    return;
  }
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const T* y = args.y.as<T>();
    const T* dy = args.dy.as<T>();
    T* const da = args.dx[0].as<T>();
    T* const db = args.dx[1].as<T>();
    T* const first = da != nullptr ? da : db;
    T* const second = da != nullptr ? db : nullptr;
    parallel_ranges(args.dy.spec.shape.numel(), 4 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().activation_gradient(f_, nullptr, y != nullptr ? y + begin : nullptr, dy + begin, first + begin,
                                       end - begin);
      if (second != nullptr) std::copy(first + begin, first + end, second + begin);
    });
  });
}

}  // namespace fastcnn
