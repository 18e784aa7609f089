// Cross-entropy -sum_c q_c log p_c between softmax(logits) = p and the targets' distributions q. Inputs: logits
// (n, c), target, and optionally weights w of the classes (c). The target is the class of each row, (n) of int64, or
// its distribution t, (n, c) of the logits' type; a class is the distribution of a single 1. Then, as PyTorch defines
// it, q_c = w_c ((1 - label_smoothing) t_c + label_smoothing / c). Rows of class ignore_index count for nothing.
// mean divides the sum by the rows' sum of w[target], for distributions by n; batchmean by n.
// Logits and distributions have gradients: dlogits = (p sum_c q_c - q) dy. Forward keeps p for backward.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/reduction.h"

namespace fastcnn {

class SoftmaxCrossEntropy final : public Op {
 public:
  struct Options {
    Reduction reduction = Reduction::mean;
    std::int64_t ignore_index = -100;
    double label_smoothing = 0.0;  // in [0, 1]
  };

  SoftmaxCrossEntropy();
  // Throws ValueError for a smoothing out of its range.
  explicit SoftmaxCrossEntropy(const Options& options);
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }

  std::string_view kind() const override { return "softmax_cross_entropy"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  bool differentiable(int input) const override { return input < 2; }
  Needs backward_needs(Specs x) const override;

 private:
  Options options_;
};

}  // namespace fastcnn
