// Cross-entropy of independent yes-or-no answers, -(a t log p + (1 - t) log(1 - p)), element by element, then reduced.
// Inputs: x and targets t of one shape, and optionally the weight a of the positive answers, 1 number or, for x
// (n, c), one per class. With from_logits p is 1 / (1 + e^-x), else x itself; logarithms of probabilities are
// at least -100 then, as in PyTorch. x and t have gradients.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/reduction.h"

namespace fastcnn {

class BinaryCrossEntropy final : public Op {
 public:
  explicit BinaryCrossEntropy(bool from_logits = true, Reduction reduction = Reduction::mean)
      : from_logits_(from_logits), reduction_(reduction) {}
  static OpPtr make(AttributeReader& attributes);

  bool from_logits() const { return from_logits_; }
  Reduction reduction() const { return reduction_; }

  std::string_view kind() const override { return "binary_cross_entropy"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  bool differentiable(int input) const override { return input < 2; }
  Needs backward_needs(Specs x) const override;

 private:
  bool from_logits_;
  Reduction reduction_;
};

}  // namespace fastcnn
