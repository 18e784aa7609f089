// The transpose of a convolution, as PyTorch defines it: what spreads each x over a window of y,
// y[n, co, oh, ow] = f(b[co] + sum over ci, kh, kw of w[ci, co, kh, kw] x[n, ci, ih, iw]) over the ih, iw for which
// oh = ih stride - pad + kh dilation, ow alike, within groups. Output extent: (in - 1) stride - 2 pad +
// (kernel - 1) dilation + 1 + output_pad.
// Inputs x (n, c_in, h, w), w (c_in, c_out/groups, k_h, k_w), b (c_out) optional.
// It is the gradient of a convolution with the weights w from y to x, and computed as that: forward by an algorithm's
// backward_data, the gradient of x by its forward, that of w by its backward_weights.
#pragma once

#include <string>

#include "cpu/activation.h"
#include "ops/attributes.h"
#include "ops/conv2d_algorithm.h"
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
    std::string algorithm = "auto";  // or a name of conv2d_algorithms()
    Activation activation{};
  };

  // Throws ValueError for groups below 1, an output_pad out of its range, an activation whose gradient can't be had
  // from y, and an unknown algorithm.
  explicit ConvTranspose2d(Options options);
  // stride (1), pad (0), output_pad (0), dilation (1): a number or a pair; groups (1); algorithm ("auto");
  // activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "conv_transpose2d"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  std::size_t prepared_bytes(Specs x) const override;
  std::uint32_t prepared_from(Specs) const override { return 0b10; }
  void prepare(std::span<const ConstView> x, std::byte* prepared) const override;
  ScratchSize scratch(Specs x, Phase phase) const override;
  std::int64_t macs(Specs x) const override;
  std::string algorithm(Specs x) const override;
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  // The convolution from y to x. Throws ShapeError where y would be empty.
  Conv2dProblem problem(const Shape& x, const Shape& w) const;

  Options options_;
  Conv2dSelection selection_;
};

}  // namespace fastcnn
