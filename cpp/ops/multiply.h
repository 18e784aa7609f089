// y = the product of the inputs, element by element; all of one shape.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Multiply final : public Op {
 public:
  static OpPtr make(Attributes&) { return std::make_shared<Multiply>(); }

  std::string_view kind() const override { return "multiply"; }
  std::string describe(Specs) const override { return "Multiply"; }
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool forward_in_place(Specs) const override { return true; }
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;
};

}  // namespace fastcnn
