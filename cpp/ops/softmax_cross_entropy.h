// -log softmax(logits)[target]: inputs logits (n, c) and target (n) of int64; y is the mean or the sum, a
// scalar, or without reduction the n losses. Forward keeps the probabilities for backward, whose gradient
// is (probabilities - one-hot target) dy.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/reduction.h"

namespace fastcnn {

class SoftmaxCrossEntropy final : public Op {
 public:
  explicit SoftmaxCrossEntropy(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "softmax_cross_entropy"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  bool differentiable(int input) const override { return input == 0; }
  Needs backward_needs(Specs x) const override;
  ScratchSize scratch(Specs x, Phase phase) const override;
  // Throws ValueError naming a target outside of [0, c).
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  Reduction reduction_;
};

}  // namespace fastcnn
