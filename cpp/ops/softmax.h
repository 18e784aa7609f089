// y = exp(x) / sum of exp(x) along an axis: the channels of rank 4, the last axis of every other rank.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Softmax final : public Op {
 public:
  explicit Softmax(std::int64_t axis = 1) : axis_(axis) {}
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "softmax"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = true}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  std::int64_t axis_;
};

}  // namespace fastcnn
