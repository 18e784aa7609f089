// Pools across feature maps: of each pixel, the largest or the mean of windows of `size` neighbouring channels.
// x (n, c, h, w) or (n, c) -> the same with c_out channels. Window o begins at channel start + o stride and is clipped
// to the channels there are, which divide the mean. Max with size = stride is maxout (Goodfellow et al. 2013); it is
// cuda-convnet2's cmpool. The gradient of the largest goes to the first of equal ones; NaN counts as largest.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/pool2d.h"

namespace fastcnn {

class PoolChannels final : public Op {
 public:
  // windows: of its first axis. kind: max or clipped_average.
  PoolChannels(const PoolSpec& windows, PoolKind kind) : windows_(windows), kind_(kind) {}
  // pool ("max" or "avg"), size, stride (size), start (0), ceil_mode (false), output (as many as fit, PoolSpec's
  // formula). Throws ValueError without a size, and for windows without any channel.
  static OpPtr make(AttributeReader& attributes);

  PoolKind pool() const { return kind_; }
  PoolAxis axis(const Shape& x) const { return slide_pool_axis(windows_, 0, x[1], "channels"); }

  std::string_view kind() const override { return "pool_channels"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  PoolSpec windows_;
  PoolKind kind_;
};

}  // namespace fastcnn
