// Layer normalisation (Ba, Kiros and Hinton 2016, equations 2 and 3): a group is a sample's values along the last
// axes. Inputs x of any rank; gamma and beta of the shape of those axes, or absent.
#pragma once

#include "ops/attributes.h"
#include "ops/grouped_norm.h"

namespace fastcnn {

class LayerNorm final : public GroupedNorm {
 public:
  LayerNorm(const Shape& shape, double eps);  // throws ValueError for a scalar shape and eps < 0
  static OpPtr make(Attributes& attributes);  // shape, eps (1e-5)

  std::string_view kind() const override { return "layer_norm"; }
  std::string describe(Specs x) const override;
  // Throws ShapeError where x doesn't end in the shape, and for (h, w) and (w) of images: these are stored by pixel.
  Spec infer(Specs x) const override;

 protected:
  GroupedColumns columns_of(const Shape& x) const override;

 private:
  Shape shape_;
};

}  // namespace fastcnn
