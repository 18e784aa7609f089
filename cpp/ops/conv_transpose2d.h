// The transpose of a convolution, as PyTorch defines it: what spreads each x over a window of y,
// y[n, co, oh, ow] = f(b[co] + sum over ci, kh, kw of w[ci, co, kh, kw] x[n, ci, ih, iw]) over the ih, iw for which
// oh = ih stride - pad + kh dilation, ow alike, within groups. Output extent: (in - 1) stride - 2 pad +
// (kernel - 1) dilation + 1 + output_pad.
// Inputs x (n, c_in, h, w), w (c_in, c_out/groups, k_h, k_w), b (c_out) optional.
// It is the gradient of a convolution with the weights w from y to x.
#pragma once

#include <string>

#include "ops/activation_function.h"
#include "ops/attributes.h"
#include "ops/conv2d_extents.h"
#include "ops/op.h"
#include "ops/window.h"

namespace fastcnn {

class ConvTranspose2d final : public Op {
 public:
  struct Options {
    Pair stride{1, 1};
    Pair pad{0, 0};
    Pair output_pad{0, 0};  // more rows and columns of y at its end, below the larger of stride and dilation
    Pair dilation{1, 1};
    std::int64_t groups = 1;
    std::string algorithm = "auto";  // or the name of one that the backend has
    Activation activation{};
  };

  // Throws ValueError for groups below 1, an output_pad out of its range, and an activation whose gradient can't
  // be had from y.
  explicit ConvTranspose2d(Options options);
  // stride (1), pad (0), output_pad (0), dilation (1): a number or a pair; groups (1); algorithm ("auto");
  // activation ("identity") with a and b.
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }
  // Of the convolution from y to x. Throws ShapeError where y would be empty.
  Conv2dExtents extents(const Shape& x, const Shape& w) const;

  std::string_view kind() const override { return "conv_transpose2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  std::int64_t macs(Specs x) const override;
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;

 private:
  Options options_;
};

}  // namespace fastcnn
