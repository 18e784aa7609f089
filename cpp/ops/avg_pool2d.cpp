#include "ops/avg_pool2d.h"

#include "ops/activation.h"

namespace fastcnn {

OpPtr AvgPool2d::make(AttributeReader& attributes) {
  const PoolSpec windows = read_pool(attributes);
  const bool count_include_pad = attributes.flag("count_include_pad", true);
  const PoolKind average = count_include_pad ? PoolKind::average : PoolKind::clipped_average;
  const PoolKind kind = attributes.flag("sum", false) ? PoolKind::sum : average;
  return std::make_shared<AvgPool2d>(windows, kind, read_pool_activation(attributes));
}

Attributes AvgPool2d::attributes() const {
  Attributes attributes{{"count_include_pad", kind_ != PoolKind::clipped_average}, {"sum", kind_ == PoolKind::sum}};
  write_pool(attributes, windows_);
  write_activation(attributes, "activation", f_);
  return attributes;
}

std::string AvgPool2d::describe(Specs) const {
  return describe_pool(kind_ == PoolKind::sum ? "SumPool2d" : "AvgPool2d", windows_) +
         (kind_ == PoolKind::clipped_average ? ", count_include_pad=false" : "") + describe_pool_activation(f_);
}

std::vector<Spec> AvgPool2d::infer(Specs x) const { return {infer_pool(windows_, x)}; }

OpPtr AvgPool2d::fused_with(const Epilogue& epilogue, Specs) const {
  const auto* f = std::get_if<Activation>(&epilogue);
  return f != nullptr && can_take_in(f_, *f) ? std::make_shared<AvgPool2d>(windows_, kind_, *f) : nullptr;
}

}  // namespace fastcnn
