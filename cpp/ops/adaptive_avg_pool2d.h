// The mean of each of h_out x w_out windows that share out the image, per channel, and an activation f behind it:
// x (n, c, h, w) -> y (n, c, h_out, w_out). Window i holds the rows [floor(i h / h_out), ceil((i + 1) h / h_out)),
// columns alike, as in PyTorch: they are of one size where h_out divides h, else neighbours overlap.
#pragma once

#include "cpu/pooling.h"
#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/window.h"

namespace fastcnn {

class AdaptiveAvgPool2d final : public Op {
 public:
  explicit AdaptiveAvgPool2d(const Pair& output, const Activation& f = {}) : output_(output), f_(f) {}
  // output: a number or a pair; activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "adaptive_avg_pool2d"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  ScratchSize scratch(Specs x, Phase phase) const override;
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  Pooling pooling(const Shape& x) const;

  Pair output_;
  Activation f_;
};

}  // namespace fastcnn
