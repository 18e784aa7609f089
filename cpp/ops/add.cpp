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

OpPtr Add::make(AttributeReader& attributes) {
  const Activation f = read_activation(attributes, "activation", "identity");
  return std::make_shared<Add>(f, attributes.reals("coefficients"));
}

Attributes Add::attributes() const {
  Attributes attributes;
  if (!coefficients_.empty()) attributes["coefficients"] = coefficients_;
  write_activation(attributes, "activation", f_);
  return attributes;
}

std::string Add::describe(Specs) const {
  std::ostringstream text;
  text << "Add";
  for (std::size_t i = 0; i < coefficients_.size(); ++i) text << (i > 0 ? ", " : " ") << coefficients_[i];
  if (f_.kind != Activation::Kind::identity) text << ", " << fastcnn::describe(f_);
  return text.str();
}

std::vector<Spec> Add::infer(Specs x) const {
  check_same(x, 1);
  if (!coefficients_.empty() && coefficients_.size() != x.size())
    throw ShapeError("got " + std::to_string(x.size()) + (x.size() == 1 ? " input, " : " inputs, ") +
                     std::to_string(coefficients_.size()) + " coefficients, expected as many");
  return {x[0]};
}

OpPtr Add::fused_with(const Epilogue& epilogue, Specs) const {
  const auto* f = std::get_if<Activation>(&epilogue);
  const bool taken = f_.kind != Activation::Kind::identity;
  if (f == nullptr || taken || !f->gradient_from_output()) return nullptr;
  return std::make_shared<Add>(*f, coefficients_);
}

}  // namespace fastcnn
