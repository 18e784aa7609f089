// Two-dimensional convolution (cross-correlation, as every framework means it) with groups:
// y[n, co, oh, ow] = f(b[co] + sum over ci, kh, kw of w[co, ci, kh, kw] x[n, group + ci, ih, iw]) with
// ih = oh stride - pad + kh dilation, iw alike, and x 0 outside of the image.
// Inputs x (n, c_in, h, w), w (c_out, c_in/groups, k_h, k_w), b (c_out) optional. With `norm` the sum is
// normalised per channel: gamma, beta (optional), mean and variance (c_out) follow. With `residual` the last
// input, of y's shape, is added before f.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ops/activation_function.h"
#include "ops/attributes.h"
#include "ops/conv2d_extents.h"
#include "ops/op.h"
#include "ops/window.h"

namespace fastcnn {

class Conv2d final : public Op {
 public:
  struct Options {
    Pair stride{1, 1};
    Pair pad{0, 0};
    Pair dilation{1, 1};
    std::int64_t groups = 1;
    std::string algorithm = "auto";  // or the name of one that the backend has
    Activation activation;
    std::optional<ChannelNorm> norm{};  // for inference alone
    bool residual = false;
  };

  // Throws ValueError for groups below 1 and for an activation whose gradient can't be had from y.
  explicit Conv2d(Options options);
  // stride (1), pad (0), dilation (1): a number or a pair; groups (1); algorithm ("auto");
  // activation ("identity") with a and b; of what is fused: norm_eps and residual (false).
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }
  // Of inputs that infer() has accepted.
  Conv2dExtents extents(const Shape& x, const Shape& w) const;
  // How many inputs there are with all optional ones: x, w, b and those of `norm` and `residual`.
  std::size_t places() const { return 3 + (options_.norm ? 4 : 0) + (options_.residual ? 1 : 0); }

  std::string_view kind() const override { return "conv2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  std::int64_t macs(Specs x) const override;
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;

 private:
  void check(const Spec& x, const Spec& w) const;

  Options options_;
};

}  // namespace fastcnn
