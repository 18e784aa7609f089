// y = a + b, of the same shape.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Add final : public Op {
 public:
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "add"; }
  std::string describe(Specs) const override { return "Add"; }
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;
};

}  // namespace fastcnn
