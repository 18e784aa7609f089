#include "ops/max_pool2d.h"

namespace fastcnn {

OpPtr MaxPool2d::make(Attributes& attributes) {
  const PoolSpec windows = read_pool(attributes);
  const bool abs = attributes.flag("abs", false);
  return std::make_shared<MaxPool2d>(windows, abs, read_pool_activation(attributes));
}

std::string MaxPool2d::describe(Specs) const {
  return describe_pool(abs_ ? "MaxAbsPool2d" : "MaxPool2d", windows_) + describe_pool_activation(f_);
}

Spec MaxPool2d::infer(Specs x) const { return infer_pool(windows_, x); }

Needs MaxPool2d::backward_needs(Specs x) const {
  return {.y = !f_.gradient_is_constant(), .saved_bytes = pool_winners_bytes(pooling(x[0].shape), x[0].shape[0])};
}

ScratchSize MaxPool2d::scratch(Specs x, Phase phase) const {
  return phase == Phase::backward ? pool_scratch(pooling(x[0].shape), f_, x[0].dtype) : ScratchSize{};
}

std::shared_ptr<const Op> MaxPool2d::fused_with(const Activation& f) const {
  return can_take_in(f_, f) ? std::make_shared<MaxPool2d>(windows_, abs_, f) : nullptr;
}

Pooling MaxPool2d::pooling(const Shape& x) const {
  return slide_pool(windows_, x, abs_ ? PoolKind::max_abs : PoolKind::max);
}

}  // namespace fastcnn
