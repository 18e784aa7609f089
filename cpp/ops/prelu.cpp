#include "ops/prelu.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr PRelu::make(AttributeReader&) { return std::make_shared<PRelu>(); }

Attributes PRelu::attributes() const { return {}; }

std::string PRelu::describe(Specs x) const {
  const std::int64_t slopes = x.size() > 1 ? x[1].shape.numel() : 1;
  return "PReLU, " + std::to_string(slopes) + (slopes == 1 ? " slope" : " slopes");
}

std::vector<Spec> PRelu::infer(Specs x) const {
  check_inputs(x, 2, 2, "x and w");
  check_floating(x[0]);
  check_same_dtype(x[1], "w", x[0], "x");
  const Shape& shape = x[0].shape;
  if (x[1].shape.rank() != 1) throw ShapeError("w has shape " + x[1].shape.str() + ", expected one axis");
  const std::int64_t slopes = x[1].shape[0];
  const bool has_channels = shape.rank() == 2 || shape.rank() == 4;
  if (slopes == 1 || (has_channels && slopes == shape[1])) return {x[0]};
  throw ShapeError("w has " + std::to_string(slopes) + " slopes, expected 1" +
                   (has_channels ? " or " + std::to_string(shape[1]) + ", the channels of x" : "") + "; x=" +
                   shape.str());
}

}  // namespace fastcnn
