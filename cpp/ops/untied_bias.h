// y = f(x + b): a bias of its own for every element of a sample, as cuda-convnet's convolutions have them with
// sharedBiases=0. Inputs x (n, ...) and b (1, ...), which is added to every sample.
#pragma once

#include "ops/activation_function.h"
#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class UntiedBias final : public Op {
 public:
  // Throws ValueError for an activation whose gradient can't be computed from y.
  explicit UntiedBias(const Activation& f = {});
  // activation ("identity") with a and b.
  static OpPtr make(AttributeReader& attributes);

  const Activation& activation() const { return f_; }

  std::string_view kind() const override { return "untied_bias"; }
  Attributes attributes() const override;
  std::string describe(Specs) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  Activation f_;
};

}  // namespace fastcnn
