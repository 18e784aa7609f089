#include "ops/avg_pool2d.h"

namespace fastcnn {

OpPtr AvgPool2d::make(Attributes& attributes) {
  const PoolSpec windows = read_pool(attributes);
  const bool count_include_pad = attributes.flag("count_include_pad", true);
  const PoolKind average = count_include_pad ? PoolKind::average : PoolKind::clipped_average;
  const PoolKind kind = attributes.flag("sum", false) ? PoolKind::sum : average;
  return std::make_shared<AvgPool2d>(windows, kind, read_pool_activation(attributes));
}

std::string AvgPool2d::describe(Specs) const {
  return describe_pool(kind_ == PoolKind::sum ? "SumPool2d" : "AvgPool2d", windows_) +
         (kind_ == PoolKind::clipped_average ? ", count_include_pad=false" : "") + describe_pool_activation(f_);
}

Spec AvgPool2d::infer(Specs x) const { return infer_pool(windows_, x); }

ScratchSize AvgPool2d::scratch(Specs x, Phase phase) const {
  if (phase != Phase::backward) return {};
  return pool_scratch(slide_pool(windows_, x[0].shape, kind_), f_, x[0].dtype);
}

std::shared_ptr<const Op> AvgPool2d::fused_with(const Activation& f) const {
  return can_take_in(f_, f) ? std::make_shared<AvgPool2d>(windows_, kind_, f) : nullptr;
}

}  // namespace fastcnn
