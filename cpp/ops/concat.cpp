#include "ops/concat.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr Concat::make(AttributeReader& attributes) { return std::make_shared<Concat>(attributes.integer("axis", 1)); }

Attributes Concat::attributes() const { return {{"axis", axis_}}; }

std::string Concat::describe(Specs) const { return "Concat axis=" + std::to_string(axis_); }

std::vector<Spec> Concat::infer(Specs x) const {
  if (x.empty()) throw ShapeError("got 0 inputs, expected at least 1");
  check_floating(x[0], "input 0", 0);
  const int axis = check_axis(axis_, x[0].shape.rank());
  Spec y = x[0];
  for (std::size_t i = 1; i < x.size(); ++i) {
    const std::string name = "input " + std::to_string(i);
    check_same_dtype(x[i], name, x[0], "input 0", static_cast<int>(i));
    Shape same = x[i].shape;
    if (same.rank() == y.shape.rank()) same[axis] = x[0].shape[axis];
    if (same != x[0].shape)
      throw ShapeError(name + " has shape " + x[i].shape.str() + ", expected " + x[0].shape.str() +
                           ", as input 0, except along axis " + std::to_string(axis),
                       static_cast<int>(i));
    y.shape[axis] += x[i].shape[axis];
  }
  return {y};
}

}  // namespace fastcnn
