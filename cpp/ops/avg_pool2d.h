// The mean or sum of each window, per channel, and an activation f behind it: x (n, c, h, w) -> y (n, c, h_out,
// w_out).
// The divisor is PyTorch's: the window's size with its padding (count_include_pad, but never what ceil_mode adds
// beyond the padding), or only the pixels that lie in the image, as cuda-convnet divides. `sum`: it is 1.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/pool2d.h"

namespace fastcnn {

class AvgPool2d final : public Op {
 public:
  // kind: average, clipped_average or sum.
  AvgPool2d(const PoolSpec& windows, PoolKind kind, const Activation& f = {})
      : windows_(windows), kind_(kind), f_(f) {}
  // read_pool's; count_include_pad (true) or sum (false); activation ("identity") with a and b.
  static OpPtr make(AttributeReader& attributes);

  const Activation& activation() const { return f_; }
  Pooling pooling(const Shape& x) const { return slide_pool(windows_, x, kind_); }

  std::string_view kind() const override { return "avg_pool2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  PoolSpec windows_;
  PoolKind kind_;
  Activation f_;
};

}  // namespace fastcnn
