#include "ops/linear.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/channel_norm.h"
#include "ops/checks.h"
#include "ops/fused_epilogue.h"

namespace fastcnn {

Linear::Linear(const Options& options) : options_(options) {
  const Activation& f = options.activation;
  if (!f.gradient_from_output())
    throw ValueError("linear can't end in " + fastcnn::describe(f) + ", whose gradient needs its input; add it as a layer");
}

OpPtr Linear::make(AttributeReader& attributes) {
  return std::make_shared<Linear>(Options{.activation = read_activation(attributes, "activation", "identity"),
                                          .norm = read_channel_norm(attributes),
                                          .residual = attributes.flag("residual", false)});
}

Attributes Linear::attributes() const {
  Attributes attributes{{"residual", options_.residual}};
  write_activation(attributes, "activation", options_.activation);
  write_channel_norm(attributes, options_.norm);
  return attributes;
}

OpPtr Linear::fused_with(const Epilogue& epilogue, Specs x) const {
  const std::optional<Options> options = with_epilogue(options_, epilogue, x.size() == places());
  return options ? std::make_shared<Linear>(*options) : nullptr;
}

std::string Linear::describe(Specs x) const {
  std::string text = "Linear";
  if (x.size() > 1 && x[1].shape.rank() == 2)
    text.append(" ").append(std::to_string(x[1].shape[1])).append("→").append(std::to_string(x[1].shape[0]));
  if (options_.norm) text += ", batch norm";
  if (options_.residual) text += ", add";
  if (options_.activation.kind != Activation::Kind::identity) text += ", " + fastcnn::describe(options_.activation);
  return text;
}

std::vector<Spec> Linear::infer(Specs x) const {
  const bool fused = options_.norm || options_.residual;
  check_inputs(x, fused ? places() : 2, places(),
               fused ? "x, w, b and what is fused" : "x, w and optionally b");
  check_floating(x[0]);
  check_same_dtype(x[1], "weight", x[0], "input");
  check_rank(x[1], 2, "(out, features)", "weight");
  check_rank(x[0], 2, "(n, features)");
  const std::int64_t out = x[1].shape[0];
  if (x[0].shape[1] != x[1].shape[1])
    throw ShapeError("input has " + std::to_string(x[0].shape[1]) + " features, expected " +
                         std::to_string(x[1].shape[1]),
                     0);
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "bias", x[0], "input");
    if (x[2].shape != Shape{out})
      throw ShapeError("bias has shape " + x[2].shape.str() + ", expected " + Shape{out}.str());
  }
  if (options_.norm) check_channel_norm(x, 3, out);
  const Spec y{{x[0].shape[0], out}, x[0].dtype};
  if (options_.residual) {
    check_same_dtype(x[places() - 1], "residual", x[0], "input");
    check_same_shape(x[places() - 1], "residual", y, "output");
  }
  return {y};
}

Needs Linear::backward_needs(Specs) const {
  return {.x = 0b11, .y = !options_.activation.gradient_is_constant()};
}

std::int64_t Linear::macs(Specs x) const { return x[0].shape[0] * x[1].shape.numel(); }

}  // namespace fastcnn
