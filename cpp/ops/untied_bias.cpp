#include "ops/untied_bias.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"

namespace fastcnn {

UntiedBias::UntiedBias(const Activation& f) : f_(f) {
  if (!f.gradient_from_output())
    throw ValueError("untied_bias can't end in " + fastcnn::describe(f) +
                     ", whose gradient needs its input; add it as a layer");
}

OpPtr UntiedBias::make(AttributeReader& attributes) {
  return std::make_shared<UntiedBias>(read_activation(attributes, "activation", "identity"));
}

Attributes UntiedBias::attributes() const {
  Attributes attributes;
  write_activation(attributes, "activation", f_);
  return attributes;
}

std::string UntiedBias::describe(Specs) const {
  return f_.kind == Activation::Kind::identity ? "UntiedBias" : "UntiedBias, " + fastcnn::describe(f_);
}

std::vector<Spec> UntiedBias::infer(Specs x) const {
  check_inputs(x, 2, 2, "x and b");
  check_floating(x[0]);
  if (x[0].shape.rank() == 0) throw ShapeError("input is a scalar, expected a batch of samples", 0);
  check_same_dtype(x[1], "bias", x[0], "input");
  Shape sample = x[0].shape;
  sample[0] = 1;
  if (x[1].shape != sample)
    throw ShapeError("bias has shape " + x[1].shape.str() + ", expected " + sample.str() + " for input " +
                     x[0].shape.str());
  return {x[0]};
}

OpPtr UntiedBias::fused_with(const Epilogue& epilogue, Specs) const {
  const auto* f = std::get_if<Activation>(&epilogue);
  if (f == nullptr || f_.kind != Activation::Kind::identity || !f->gradient_from_output()) return nullptr;
  return std::make_shared<UntiedBias>(*f);
}

}  // namespace fastcnn
