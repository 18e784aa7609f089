// Normalisation within a map, by the square window [i - size / 2, i + (size - 1) / 2] around each pixel, clipped to
// the image: y = x / (k + alpha / size^2 * sum of z^2)^beta. z is x (cuda-convnet's rnorm), or x minus the mean over
// the window around it (`contrast`, cuda-convnet's cnorm). The numerator is x in both.
#pragma once

#include <cstdint>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class SpatialNorm final : public Op {
 public:
  struct Options {
    std::int64_t size = 5;
    double alpha = 1e-4;
    double beta = 0.75;
    double k = 1.0;
    bool contrast = false;
  };

  explicit SpatialNorm(const Options& options);  // throws ValueError for size < 1
  static OpPtr make(AttributeReader& attributes);  // the options by name

  const Options& options() const { return options_; }

  std::string_view kind() const override { return "spatial_norm"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.x = 1}; }
  bool is_cheap() const override { return true; }

 private:
  Options options_;
};

}  // namespace fastcnn
