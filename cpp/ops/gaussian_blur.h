// Each channel convolved with a Gaussian, the same size out: x, y (n, c, h, w). The filter is the outer product of
// f(i) = exp(-i² / (2 sigma²)) / sum, |i| <= size / 2, with itself; beyond its sides the image is 0, as in
// cuda-convnet's layer `blur`.
#pragma once

#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class GaussianBlur final : public Op {
 public:
  // Throws ValueError unless size is odd and positive, and sigma positive.
  GaussianBlur(std::int64_t size, double sigma);
  // size (5), sigma (1).
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "gaussian_blur"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  ScratchSize scratch(Specs x, Phase phase) const override;
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  void apply(ConstView x, View y, const Scratch& scratch) const;

  double sigma_;
  std::vector<double> filter_;
};

}  // namespace fastcnn
