// y = f(a + b), of the same shape.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Add final : public Op {
 public:
  // Throws ValueError for an activation whose gradient can't be computed from y.
  explicit Add(const Activation& f = {});
  // activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "add"; }
  std::string describe(Specs) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  bool is_sum() const override { return f_.kind == Activation::Kind::identity; }
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  Activation f_;
};

}  // namespace fastcnn
