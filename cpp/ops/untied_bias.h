// y = f(x + b): a bias of its own for every element of a sample, as cuda-convnet's convolutions have them with
// sharedBiases=0. Inputs x (n, ...) and b (1, ...), which is added to every sample.
#pragma once

#include "cpu/activation.h"
#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class UntiedBias final : public Op {
 public:
  // Throws ValueError for an activation whose gradient can't be computed from y.
  explicit UntiedBias(const Activation& f = {});
  // activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "untied_bias"; }
  std::string describe(Specs) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  Activation f_;
};

}  // namespace fastcnn
