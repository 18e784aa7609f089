#include "ops/activation.h"

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

using Kind = Activation::Kind;

struct Name {
  std::string_view name;
  Kind kind;
};

constexpr Name names[] = {{"identity", Kind::identity}, {"relu", Kind::relu},     {"relu6", Kind::relu6},
                          {"sigmoid", Kind::sigmoid},   {"tanh", Kind::tanh},     {"square", Kind::square},
                          {"linear", Kind::linear}};

Kind kind_of(std::string_view name) {
  for (const Name& known : names)
    if (known.name == name) return known.kind;
  throw ValueError("unknown activation \"" + std::string(name) +
                   "\", expected identity, relu, relu6, sigmoid, tanh, square or linear");
}

std::string_view name_of(Kind kind) {
  for (const Name& known : names)
    if (known.kind == kind) return known.name;
  return "?";
}

bool has_coefficients(Kind kind) { return kind == Kind::tanh || kind == Kind::linear; }

std::string coefficients(const Activation& f) {
  std::ostringstream out;
  out << "a=" << f.a << ", b=" << f.b;
  return out.str();
}

}  // namespace

Activation read_activation(Attributes& attributes, std::string_view name, std::string_view fallback) {
  Activation f;
  f.kind = kind_of(attributes.text(name, fallback));
  const double default_b = f.kind == Kind::linear ? 0.0 : 1.0;
  f.a = attributes.real("a", 1.0);
  f.b = attributes.real("b", default_b);
  if (!has_coefficients(f.kind) && (f.a != 1.0 || f.b != 1.0))
    throw ValueError(std::string(name_of(f.kind)) + " has no coefficients, got " + coefficients(f));
  if (!std::isfinite(f.a) || !std::isfinite(f.b))
    throw ValueError("coefficients must be finite, got " + coefficients(f));
  return f;
}

std::string describe(const Activation& f) {
  const std::string name(name_of(f.kind));
  return has_coefficients(f.kind) ? name + "(" + coefficients(f) + ")" : name;
}

std::int64_t cost_of(const Activation& f) {
  switch (f.kind) {
    case Kind::identity: return 1;
    case Kind::relu:
    case Kind::relu6:
    case Kind::square:
    case Kind::linear: return 2;
    case Kind::sigmoid:
    case Kind::tanh: return 30;
  }
  return 1;
}

OpPtr ActivationOp::make(Attributes& attributes) {
  return std::make_shared<ActivationOp>(read_activation(attributes, "function", "identity"));
}

std::string ActivationOp::describe(Specs) const { return fastcnn::describe(f_); }

Spec ActivationOp::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  return x[0];
}

Needs ActivationOp::backward_needs(Specs) const {
  if (f_.gradient_is_constant()) return {};
  return f_.gradient_from_output() ? Needs{.y = true} : Needs{.x = 1};
}

}  // namespace fastcnn
