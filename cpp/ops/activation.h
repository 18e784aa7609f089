// y = f(x), element by element: the activations of ops/activation_function.h as a layer of their own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

// An activation by name with its coefficients: attributes `name`, "a" and "b", 1 unless the kind has another default
// (leaky_relu: a 0.01; log: a 0; linear: b 0).
// Throws ValueError for an unknown name, for coefficients that the kind doesn't have, and for those it can't take.
Activation read_activation(AttributeReader& attributes, std::string_view name, std::string_view fallback);

// The attributes that read_activation reads.
void write_activation(Attributes& attributes, std::string_view name, const Activation& f);

// All the names that it knows.
std::vector<std::string_view> activation_names();

// "relu", "tanh(a=1.7159, b=0.666667)".
std::string describe(const Activation& f);

// Floating-point operations per element, roughly, for cutting work.
std::int64_t cost_of(const Activation& f);

class ActivationOp final : public Op {
 public:
  explicit ActivationOp(const Activation& f) : f_(f) {}
  static OpPtr make(AttributeReader& attributes);

  const Activation& function() const { return f_; }

  std::string_view kind() const override { return "activation"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }
  std::optional<Epilogue> as_epilogue(Specs) const override { return f_; }

 private:
  Activation f_;
};

}  // namespace fastcnn
