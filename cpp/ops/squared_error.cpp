#include "ops/squared_error.h"

#include "ops/checks.h"

namespace fastcnn {

OpPtr SquaredError::make(AttributeReader& attributes) {
  return std::make_shared<SquaredError>(read_reduction(attributes));
}

Attributes SquaredError::attributes() const { return {{"reduction", std::string(name_of(reduction_))}}; }

std::string SquaredError::describe(Specs) const {
  return "SquaredError, reduction=" + std::string(name_of(reduction_));
}

std::vector<Spec> SquaredError::infer(Specs x) const {
  check_inputs(x, 1, 2, "x and optionally target");
  check_floating(x[0]);
  if (x.size() > 1) {
    check_same_dtype(x[1], "target", x[0], "input");
    check_same_shape(x[1], "target", x[0], "input");
  }
  return {Spec{reduction_ == Reduction::none ? x[0].shape : Shape{}, x[0].dtype}};
}

}  // namespace fastcnn
