#include "ops/add.h"

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"

namespace fastcnn {

Add::Add(const Activation& f, std::vector<double> coefficients) : f_(f), coefficients_(std::move(coefficients)) {
  if (!f.gradient_from_output())
    throw ValueError("add can't end in " + fastcnn::describe(f) +
                     ", whose gradient needs its input; add it as a layer");
  for (const double c : coefficients_)
    if (!std::isfinite(c)) throw ValueError("coefficients must be finite, got " + std::to_string(c));
}

OpPtr Add::make(Attributes& attributes) {
  const Activation f = read_activation(attributes, "activation", "identity");
  return std::make_shared<Add>(f, attributes.reals("coefficients"));
}

std::string Add::describe(Specs) const {
  std::ostringstream text;
  text << "Add";
  for (std::size_t i = 0; i < coefficients_.size(); ++i) text << (i > 0 ? ", " : " ") << coefficients_[i];
  if (f_.kind != Activation::Kind::identity) text << ", " << fastcnn::describe(f_);
  return text.str();
}

std::shared_ptr<const Op> Add::fused_with(const Activation& f) const {
  if (f_.kind != Activation::Kind::identity || !f.gradient_from_output()) return nullptr;
  return std::make_shared<Add>(f, coefficients_);
}

Spec Add::infer(Specs x) const {
  check_same(x, 1);
  if (!coefficients_.empty() && coefficients_.size() != x.size())
    throw ShapeError("got " + std::to_string(x.size()) + (x.size() == 1 ? " input, " : " inputs, ") +
                     std::to_string(coefficients_.size()) + " coefficients, expected as many");
  return x[0];
}

}  // namespace fastcnn
