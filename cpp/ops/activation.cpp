#include "ops/activation.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

using Kind = Activation::Kind;

// What is known of a kind: its coefficients are the first of a and b, here with the values that they have when
// not given, and `cost` says how many operations an element takes.
struct Entry {
  std::string_view name;
  Kind kind;
  int cost;
  int coefficients = 0;
  double a = 1, b = 1;
};

constexpr Entry entries[] = {
    {"identity", Kind::identity, 1},
    {"relu", Kind::relu, 2},
    {"relu6", Kind::relu6, 2},
    {"leaky_relu", Kind::leaky_relu, 2, 1, 0.01},
    {"bounded_relu", Kind::bounded_relu, 2, 1},
    {"double_relu", Kind::double_relu, 30, 1},
    {"softplus", Kind::softplus, 40, 1},
    {"elu", Kind::elu, 20, 1},
    {"gelu", Kind::gelu, 50},
    {"gelu_tanh", Kind::gelu_tanh, 30},
    {"silu", Kind::silu, 30},
    {"mish", Kind::mish, 40},
    {"hard_sigmoid", Kind::hard_sigmoid, 4},
    {"hard_swish", Kind::hard_swish, 5},
    {"sigmoid", Kind::sigmoid, 30},
    {"tanh", Kind::tanh, 30, 2},
    {"abs_tanh", Kind::abs_tanh, 30, 2},
    {"abs", Kind::abs, 2},
    {"square", Kind::square, 2},
    {"sqrt", Kind::sqrt, 10},
    {"log", Kind::log, 20, 1, 0},
    {"linear", Kind::linear, 2, 2, 1, 0},
};

const Entry& entry_of(std::string_view name) {
  for (const Entry& entry : entries)
    if (entry.name == name) return entry;
  std::string known;
  for (const Entry& entry : entries) {
    const bool last = &entry == std::end(entries) - 1;
    known += (known.empty() ? "" : last ? " or " : ", ") + std::string(entry.name);
  }
  throw ValueError("unknown activation \"" + std::string(name) + "\", expected " + known);
}

const Entry& entry_of(Kind kind) {
  return *std::ranges::find(entries, kind, &Entry::kind);
}

std::string coefficients(const Activation& f, int count) {
  std::ostringstream out;
  if (count > 0) out << "a=" << f.a;
  if (count > 1) out << ", b=" << f.b;
  return out.str();
}

// What `a` must be beyond finite, or null.
const char* wanted_of_a(const Activation& f) {
  switch (f.kind) {
    case Kind::bounded_relu:
    case Kind::softplus: return f.a > 0 ? nullptr : "above 0";
    case Kind::double_relu: return f.a != 0 ? nullptr : "other than 0";
    case Kind::elu: return f.a >= 0 ? nullptr : "at least 0";
    default: return nullptr;
  }
}

}  // namespace

Activation read_activation(AttributeReader& attributes, std::string_view name, std::string_view fallback) {
  const Entry& entry = entry_of(attributes.text(name, fallback));
  const Activation f{entry.kind, attributes.real("a", entry.a), attributes.real("b", entry.b)};
  if ((entry.coefficients < 1 && f.a != entry.a) || (entry.coefficients < 2 && f.b != entry.b)) {
    const char* has = entry.coefficients == 0 ? " has no coefficients, got " : " has one coefficient, a; got ";
    throw ValueError(std::string(entry.name) + has + coefficients(f, 2));
  }
  if (!std::isfinite(f.a) || !std::isfinite(f.b))
    throw ValueError("coefficients must be finite, got " + coefficients(f, entry.coefficients));
  if (const char* wanted = wanted_of_a(f))
    throw ValueError("a of " + std::string(entry.name) + " must be " + wanted + ", got " + coefficients(f, 1));
  return f;
}

void write_activation(Attributes& attributes, std::string_view name, const Activation& f) {
  attributes.insert_or_assign(std::string(name), std::string(entry_of(f.kind).name));
  attributes.insert_or_assign("a", f.a);
  attributes.insert_or_assign("b", f.b);
}

std::vector<std::string_view> activation_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  return names;
}

std::string describe(const Activation& f) {
  const Entry& entry = entry_of(f.kind);
  const std::string name(entry.name);
  return entry.coefficients > 0 ? name + "(" + coefficients(f, entry.coefficients) + ")" : name;
}

std::int64_t cost_of(const Activation& f) { return entry_of(f.kind).cost; }

OpPtr ActivationOp::make(AttributeReader& attributes) {
  return std::make_shared<ActivationOp>(read_activation(attributes, "function", "identity"));
}

std::string ActivationOp::describe(Specs) const { return fastcnn::describe(f_); }

Attributes ActivationOp::attributes() const {
  Attributes attributes;
  write_activation(attributes, "function", f_);
  return attributes;
}

std::vector<Spec> ActivationOp::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  return {x[0]};
}

Needs ActivationOp::backward_needs(Specs) const {
  if (f_.gradient_is_constant()) return {};
  return f_.gradient_from_output() ? Needs{.y = 1} : Needs{.x = 1};
}

}  // namespace fastcnn
