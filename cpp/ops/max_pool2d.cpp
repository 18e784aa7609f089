#include "ops/max_pool2d.h"

#include "ops/activation.h"

namespace fastcnn {

OpPtr MaxPool2d::make(AttributeReader& attributes) {
  const PoolSpec windows = read_pool(attributes);
  const bool abs = attributes.flag("abs", false);
  const Activation f = read_pool_activation(attributes);
  return std::make_shared<MaxPool2d>(windows, abs, f, attributes.flag("return_indices", false));
}

Attributes MaxPool2d::attributes() const {
  Attributes attributes{{"abs", abs_}, {"return_indices", return_indices_}};
  write_pool(attributes, windows_);
  write_activation(attributes, "activation", f_);
  return attributes;
}

std::string MaxPool2d::describe(Specs) const {
  return describe_pool(abs_ ? "MaxAbsPool2d" : "MaxPool2d", windows_) + describe_pool_activation(f_) +
         (return_indices_ ? ", indices" : "");
}

std::vector<Spec> MaxPool2d::infer(Specs x) const {
  const Spec y = infer_pool(windows_, x);
  return return_indices_ ? std::vector<Spec>{y, {y.shape, DType::int64}} : std::vector<Spec>{y};
}

Needs MaxPool2d::backward_needs(Specs x) const {
  return {.y = !f_.gradient_is_constant(), .saved_bytes = pool_winners_bytes(pooling(x[0].shape), x[0].shape[0])};
}

Pooling MaxPool2d::pooling(const Shape& x) const {
  return slide_pool(windows_, x, abs_ ? PoolKind::max_abs : PoolKind::max);
}

OpPtr MaxPool2d::fused_with(const Epilogue& epilogue, Specs) const {
  const auto* f = std::get_if<Activation>(&epilogue);
  return f != nullptr && !return_indices_ && can_take_in(f_, *f) ? std::make_shared<MaxPool2d>(windows_, abs_, *f) : nullptr;
}

}  // namespace fastcnn
