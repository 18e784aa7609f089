// The largest element of each window, per channel, and an activation f behind it: x (n, c, h, w) -> y (n, c, h_out,
// w_out). `abs`: the element of the largest magnitude, with its sign, as cuda-convnet2's maxabs. Padding never wins.
// Its gradient goes to the first of equal elements in row-major order; NaN counts as largest. With `return_indices` a second
// output has the place of that element in its image, row w + column, as int64 (PyTorch's).
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/pool2d.h"

namespace fastcnn {

class MaxPool2d final : public Op {
 public:
  explicit MaxPool2d(const PoolSpec& windows, bool abs = false, const Activation& f = {}, bool return_indices = false)
      : windows_(windows), abs_(abs), f_(f), return_indices_(return_indices) {}
  // read_pool's; abs (false); activation ("identity") with a and b; return_indices (false).
  static OpPtr make(AttributeReader& attributes);

  const Activation& activation() const { return f_; }
  bool returns_indices() const { return return_indices_; }
  Pooling pooling(const Shape& x) const;

  std::string_view kind() const override { return "max_pool2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  PoolSpec windows_;
  bool abs_;
  Activation f_;
  bool return_indices_;
};

}  // namespace fastcnn
