// Stochastic pooling (Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural
// networks", 2013) of x (n, c, h, w), which is meant to lie behind a ReLU. In each window, per channel, element i has
// the probability p_i = x_i / (sum of x) where x_i > 0, else 0. In training y is an element drawn by it, which takes
// the gradient; otherwise y is the mean, the sum of p_i x_i. Where no element is positive y = 0, without a gradient.
// What is drawn is a pure function of the run's random state, of `stream` and of y's index in storage.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/pool2d.h"

namespace fastcnn {

class StochasticPool2d final : public Op {
 public:
  // sample: in training, else the mean there, too. The random ops of one model take different streams. Throws
  // ValueError as check_random_stream.
  StochasticPool2d(const PoolSpec& windows, bool sample, std::int64_t stream);
  // read_pool's; sample (true), stream (0).
  static OpPtr make(AttributeReader& attributes);

  bool samples() const { return sample_; }
  std::int64_t stream() const { return stream_; }
  Pooling pooling(const Shape& x) const { return slide_pool(windows_, x, PoolKind::stochastic); }

  std::string_view kind() const override { return "stochastic_pool2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  PoolSpec windows_;
  bool sample_;
  std::int64_t stream_;
};

}  // namespace fastcnn
