// y = x / (k + alpha / size * sum of x^2)^beta, the sum over `size` neighbouring channels of the same pixel
// (Krizhevsky, Sutskever and Hinton 2012, section 3.3; alpha divided by size as in Caffe and PyTorch), or over the
// block of `size` channels that holds it (`blocked` of cuda-convnet's cmrnorm).
#pragma once

#include "ops/attributes.h"
#include "ops/lrn.h"
#include "ops/op.h"

namespace fastcnn {

class LocalResponseNorm final : public Op {
 public:
  explicit LocalResponseNorm(const Lrn& lrn);  // throws ValueError for size < 1
  static OpPtr make(AttributeReader& attributes);

  const Lrn& lrn() const { return lrn_; }

  std::string_view kind() const override { return "local_response_norm"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.x = 1}; }
  bool is_cheap() const override { return true; }

 private:
  Lrn lrn_;
};

}  // namespace fastcnn
