// Inverted dropout (Srivastava et al. 2014, scaled in training): each element is 0 with probability p, else
// multiplied by 1 / (1 - p); the identity outside of training. The mask is a pure function of the run's
// random state, of `stream` and of the element's index, so backward makes it again and nothing is kept.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Dropout final : public Op {
 public:
  // Dropouts of one model take different streams. Throws ValueError unless 0 <= p <= 1, 0 <= stream < 2^23.
  explicit Dropout(double p = 0.5, std::int64_t stream = 0);
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "dropout"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  // y = x times the mask and its scale.
  void apply(ConstView x, View y, const RunContext& run) const;

  double p_;
  std::uint64_t stream_;
};

}  // namespace fastcnn
