#include "ops/max_pool2d.h"

namespace fastcnn {

void MaxPool2d::forward(const ForwardArgs& args) const {
  const Pooling p = pooling(args.x[0].spec.shape);
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    with_pool_winners<T>(p, [&]<class Index>(const PoolWinnerKernels<T, Index>& winners) {
      pool_forward<T>(p, f_, args, [&](std::int64_t pixel, std::int64_t pixel_end) {
        winners.max_pool2d(p, args.x[0].as<T>(), pixel, pixel_end, args.y.as<T>(), static_cast<Index*>(args.saved));
      });
    });
  });
}

void MaxPool2d::backward(const BackwardArgs& args) const {
  if (args.dx[0]) pool_winners_backward(pooling(args.dx[0].spec.shape), f_, args);
}

}  // namespace fastcnn
