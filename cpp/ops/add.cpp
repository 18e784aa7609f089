#include "ops/add.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"

namespace fastcnn {

Add::Add(const Activation& f) : f_(f) {
  if (!f.gradient_from_output())
    throw ValueError("add can't end in " + fastcnn::describe(f) + ", whose gradient needs its input; add it as a layer");
}

OpPtr Add::make(Attributes& attributes) {
  return std::make_shared<Add>(read_activation(attributes, "activation", "identity"));
}

std::string Add::describe(Specs) const {
  return f_.kind == Activation::Kind::identity ? "Add" : "Add, " + fastcnn::describe(f_);
}

std::shared_ptr<const Op> Add::fused_with(const Activation& f) const {
  if (f_.kind != Activation::Kind::identity || !f.gradient_from_output()) return nullptr;
  return std::make_shared<Add>(f);
}

Spec Add::infer(Specs x) const {
  check_inputs(x, 2, 2, "a and b");
  check_floating(x[0], "a");
  check_same_dtype(x[1], "b", x[0], "a");
  check_same_shape(x[1], "b", x[0], "a");
  return x[0];
}

}  // namespace fastcnn
