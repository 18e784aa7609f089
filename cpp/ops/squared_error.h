// (x - target)^2, or x^2 without a target, element by element, then reduced. Both inputs have gradients.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/reduction.h"

namespace fastcnn {

class SquaredError final : public Op {
 public:
  explicit SquaredError(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "squared_error"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs x) const override { return {.x = x.size() > 1 ? 0b11u : 0b1u}; }
  ScratchSize scratch(Specs x, Phase phase) const override;
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  Reduction reduction_;
};

}  // namespace fastcnn
