#include "ops/add.h"

#include "ops/checks.h"

namespace fastcnn {

OpPtr Add::make(Attributes&) { return std::make_shared<Add>(); }

Spec Add::infer(Specs x) const {
  check_inputs(x, 2, 2, "a and b");
  check_floating(x[0], "a");
  check_same_dtype(x[1], "b", x[0], "a");
  check_same_shape(x[1], "b", x[0], "a");
  return x[0];
}

}  // namespace fastcnn
