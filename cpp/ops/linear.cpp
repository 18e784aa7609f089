#include "ops/linear.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"

namespace fastcnn {

Linear::Linear(const Activation& f) : f_(f) {
  if (!f.gradient_from_output())
    throw ValueError("linear can't end in " + fastcnn::describe(f) + ", whose gradient needs its input; add it as a layer");
}

OpPtr Linear::make(Attributes& attributes) {
  return std::make_shared<Linear>(read_activation(attributes, "activation", "identity"));
}

std::shared_ptr<const Op> Linear::fused_with(const Activation& f) const {
  if (f_.kind != Activation::Kind::identity || !f.gradient_from_output()) return nullptr;
  return std::make_shared<Linear>(f);
}

std::string Linear::describe(Specs x) const {
  std::string text = "Linear";
  if (x.size() > 1 && x[1].shape.rank() == 2)
    text.append(" ").append(std::to_string(x[1].shape[1])).append("→").append(std::to_string(x[1].shape[0]));
  if (f_.kind != Activation::Kind::identity) text.append(", ").append(fastcnn::describe(f_));
  return text;
}

Spec Linear::infer(Specs x) const {
  check_inputs(x, 2, 3, "x, w and optionally b");
  check_floating(x[0]);
  check_same_dtype(x[1], "weight", x[0], "input");
  check_rank(x[1], 2, "(out, features)", "weight");
  check_rank(x[0], 2, "(n, features)");
  const std::int64_t out = x[1].shape[0];
  if (x[0].shape[1] != x[1].shape[1])
    throw ShapeError("input has " + std::to_string(x[0].shape[1]) + " features, expected " +
                     std::to_string(x[1].shape[1]));
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "bias", x[0], "input");
    if (x[2].shape != Shape{out})
      throw ShapeError("bias has shape " + x[2].shape.str() + ", expected " + Shape{out}.str());
  }
  return {{x[0].shape[0], out}, x[0].dtype};
}

Needs Linear::backward_needs(Specs) const { return {.x = 0b11, .y = !f_.gradient_is_constant()}; }

std::int64_t Linear::macs(Specs x) const { return x[0].shape[0] * x[1].shape.numel(); }

}  // namespace fastcnn
