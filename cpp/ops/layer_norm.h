// Layer normalisation (Ba, Kiros and Hinton 2016, equations 2 and 3): y = gamma (x - mean) / sqrt(variance + eps) +
// beta, mean and biased variance over the last axes of a sample. Inputs x of any rank; gamma and beta of the shape of
// those axes, each of which may be absent.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class LayerNorm final : public Op {
 public:
  LayerNorm(const Shape& shape, double eps);  // throws ValueError for a scalar shape and eps < 0
  static OpPtr make(AttributeReader& attributes);  // shape, eps (1e-5)

  const Shape& shape() const { return shape_; }
  double eps() const { return eps_; }

  std::string_view kind() const override { return "layer_norm"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  // Throws ShapeError where x doesn't end in the shape, and for (h, w) and (w) of images: these are stored by pixel.
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  Shape shape_;
  double eps_;
};

}  // namespace fastcnn
