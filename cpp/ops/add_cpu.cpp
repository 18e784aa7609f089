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
    });
  });
}

void Add::backward(const BackwardArgs& args) const {
  for (const View& dx : args.dx)
    if (dx) parallel_copy(args.dy.data, dx.data, static_cast<std::int64_t>(dx.spec.bytes()));
}

}  // namespace fastcnn
