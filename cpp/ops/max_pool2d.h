// The largest value of each window, per channel, and an activation f behind it: x (n, c, h, w) -> y (n, c, h_out,
// w_out). Padding never wins. Its gradient goes to the first of equal values in row-major order; NaN counts as
// largest.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/window.h"

namespace fastcnn {

class MaxPool2d final : public Op {
 public:
  explicit MaxPool2d(const WindowSpec& windows, const Activation& f = {}) : windows_(windows), f_(f) {}
  // kernel, stride (kernel), pad (0): a number or a pair; ceil_mode (false); activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "max_pool2d"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  ScratchSize scratch(Specs x, Phase phase) const override;
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  // The winner's number in its window is kept in one byte where that suffices, else in four.
  bool index_fits_a_byte() const { return windows_.kernel[0] * windows_.kernel[1] <= 256; }

  WindowSpec windows_;
  Activation f_;
};

}  // namespace fastcnn
