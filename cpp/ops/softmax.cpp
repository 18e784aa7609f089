#include "ops/softmax.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr Softmax::make(AttributeReader& attributes) { return std::make_shared<Softmax>(attributes.integer("axis", 1)); }

Attributes Softmax::attributes() const { return {{"axis", axis_}}; }

std::string Softmax::describe(Specs) const { return "Softmax axis=" + std::to_string(axis_); }

std::vector<Spec> Softmax::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  const int rank = x[0].shape.rank();
  const int contiguous = x[0].is_channels_last() ? 1 : rank - 1;
  if (check_axis(axis_, rank) != contiguous)
    throw ValueError("softmax of rank " + std::to_string(rank) + " runs along axis " + std::to_string(contiguous) +
                     ", got axis " + std::to_string(axis_));
  return {x[0]};
}

}  // namespace fastcnn
