#include "ops/layer_norm.h"

#include <algorithm>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

LayerNorm::LayerNorm(const Shape& shape, double eps) : shape_(shape), eps_(eps) {
  check_eps(eps);
  if (shape.rank() == 0 || std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 1; }))
    throw ValueError("shape is " + shape.str() + ", expected one or more positive extents");
}

OpPtr LayerNorm::make(AttributeReader& attributes) {
  const Shape shape(attributes.integers("shape"));
  return std::make_shared<LayerNorm>(shape, attributes.real("eps", 1e-5));
}

Attributes LayerNorm::attributes() const {
  return {{"shape", std::vector<std::int64_t>(shape_.begin(), shape_.end())}, {"eps", eps_}};
}

std::string LayerNorm::describe(Specs) const { return "LayerNorm " + shape_.str(); }

std::vector<Spec> LayerNorm::infer(Specs x) const {
  check_inputs(x, 1, 3, "x, gamma and beta");
  check_floating(x[0]);
  const Shape& input = x[0].shape;
  if (input.rank() < shape_.rank() || !std::equal(shape_.begin(), shape_.end(), input.end() - shape_.rank()))
    throw ShapeError("input has shape " + input.str() + ", expected one that ends in " + shape_.str(), 0);
  if (x[0].is_channels_last() && shape_.rank() < 3) {
    throw ShapeError("input (n, c, h, w) is normalised over its last " + std::to_string(shape_.rank()) +
                     " axes, expected (c, h, w); got " + input.str(),
                     0);
  }
  check_gamma_beta(x, shape_);
  return {x[0]};
}

Needs LayerNorm::backward_needs(Specs x) const {
  const std::int64_t rows = x[0].shape.numel() / shape_.numel();
  return {.x = is_present(x, 1) ? 3u : 1u, .saved_bytes = static_cast<std::size_t>(2 * rows) * size_of(x[0].dtype)};
}

}  // namespace fastcnn
