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
  static OpPtr make(AttributeReader& attributes);

  const std::vector<double>& filter() const { return filter_; }

  std::string_view kind() const override { return "gaussian_blur"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }

 private:
  double sigma_;
  std::vector<double> filter_;
};

}  // namespace fastcnn
