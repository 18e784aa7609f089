#include "ops/layer_norm.h"

#include <algorithm>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

LayerNorm::LayerNorm(const Shape& shape, double eps) : GroupedNorm(eps), shape_(shape) {
  if (shape.rank() == 0 || std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 1; }))
    throw ValueError("shape is " + shape.str() + ", expected one or more positive extents");
}

OpPtr LayerNorm::make(Attributes& attributes) {
  const Shape shape(attributes.integers("shape"));
  return std::make_shared<LayerNorm>(shape, attributes.real("eps", 1e-5));
}

std::string LayerNorm::describe(Specs) const { return "LayerNorm " + shape_.str(); }

Spec LayerNorm::infer(Specs x) const {
  check_inputs(x, 1, 3, "x, gamma and beta");
  check_floating(x[0]);
  const Shape& input = x[0].shape;
  if (input.rank() < shape_.rank() || !std::equal(shape_.begin(), shape_.end(), input.end() - shape_.rank()))
    throw ShapeError("input has shape " + input.str() + ", expected one that ends in " + shape_.str());
  if (input.rank() == 4 && shape_.rank() < 3) {
    throw ShapeError("input (n, c, h, w) is normalised over its last " + std::to_string(shape_.rank()) +
                     " axes, expected (c, h, w); got " + input.str());
  }
  check_affine(x, shape_);
  return x[0];
}

GroupedColumns LayerNorm::columns_of(const Shape& x) const {
  std::int64_t samples = 1;
  for (int axis = 0; axis < x.rank() - shape_.rank(); ++axis) samples *= x[axis];
  // Of rank 4, gamma and beta are stored as images are.
  const bool by_plane = x.rank() == 4 && shape_.rank() == 3;
  return {.samples = samples, .rows = 1, .cols = shape_.numel(), .groups = 1, .planes = by_plane ? x[1] : 1};
}

}  // namespace fastcnn
