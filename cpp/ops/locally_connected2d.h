// Convolution without weight sharing: every output position has filters and biases of its own (the local layer of
// cuda-convnet; Taigman et al., "DeepFace", 2014, section 2.2):
// y[n, co, oh, ow] = f(b[0, co, oh, ow] + sum over kh, kw, ci of w[oh, ow, kh, kw, ci, co] x[n, group + ci, ih, iw])
// with ih = oh stride - pad + kh dilation, iw alike, and x 0 outside of the image.
// Inputs x (n, c_in, h, w), w (h_out, w_out, k_h, k_w, c_in/groups, c_out), b (1, c_out, h_out, w_out) optional. As
// they are stored, the weights of a position are a matrix with a row per tap and channel and a column per output.
#pragma once

#include "ops/activation_function.h"
#include "ops/attributes.h"
#include "ops/conv2d_extents.h"
#include "ops/op.h"
#include "ops/window.h"

namespace fastcnn {

class LocallyConnected2d final : public Op {
 public:
  struct Options {
    Pair stride{1, 1};
    Pair pad{0, 0};
    Pair dilation{1, 1};
    std::int64_t groups = 1;
    Activation activation{};
  };

  // Throws ValueError for groups below 1 and for an activation whose gradient can't be had from y.
  explicit LocallyConnected2d(const Options& options);
  // stride (1), pad (0), dilation (1): a number or a pair; groups (1); activation ("identity") with a and b.
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }
  // Throws ShapeError when not even one window fits.
  Conv2dExtents extents(const Shape& x, const Shape& w) const;

  std::string_view kind() const override { return "locally_connected2d"; }
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
