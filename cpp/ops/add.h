// y = f(c0 x0 + c1 x1 + ...), of inputs of one shape; coefficients 1 unless given.
#pragma once

#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Add final : public Op {
 public:
  // Without coefficients: any number of inputs, each taken as it is. Throws ValueError for an activation whose
  // gradient can't be computed from y, and for coefficients that are not finite.
  explicit Add(const Activation& f = {}, std::vector<double> coefficients = {});
  // coefficients, one per input; activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "add"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  bool is_sum() const override { return f_.kind == Activation::Kind::identity && coefficients_.empty(); }
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  double coefficient(std::size_t input) const { return coefficients_.empty() ? 1.0 : coefficients_[input]; }

  Activation f_;
  std::vector<double> coefficients_;
};

}  // namespace fastcnn
