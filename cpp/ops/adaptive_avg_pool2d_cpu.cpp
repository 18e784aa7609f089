#include "ops/adaptive_avg_pool2d.h"
#include "ops/pool2d.h"

namespace fastcnn {

void AdaptiveAvgPool2d::forward(const ForwardArgs& args) const {
  pool_averages(pooling(args.x[0].spec.shape), f_, args);
}

void AdaptiveAvgPool2d::backward(const BackwardArgs& args) const {
  if (args.dx[0]) pool_averages_backward(pooling(args.dx[0].spec.shape), f_, args);
}

}  // namespace fastcnn
