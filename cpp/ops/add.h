// y = f(c0 x0 + c1 x1 + ...), of inputs of one shape; coefficients 1 unless given.
#pragma once

#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Add final : public Op {
 public:
  // Without coefficients: any number of inputs, each taken as it is. Throws ValueError for an activation whose
  // gradient can't be computed from y, and for coefficients that are not finite.
  explicit Add(const Activation& f = {}, std::vector<double> coefficients = {});
  // coefficients, one per input; activation ("identity") with a and b.
  static OpPtr make(AttributeReader& attributes);

  const Activation& activation() const { return f_; }
  const std::vector<double>& coefficients() const { return coefficients_; }
  double coefficient(std::size_t input) const { return coefficients_.empty() ? 1.0 : coefficients_[input]; }

  std::string_view kind() const override { return "add"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = !f_.gradient_is_constant()}; }
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;
  bool is_cheap() const override { return true; }
  std::optional<Epilogue> as_epilogue(Specs) const override {
    const bool is_plain = f_.kind == Activation::Kind::identity && coefficients_.empty();
    return is_plain ? std::optional<Epilogue>(ResidualAdd{}) : std::nullopt;
  }

 private:
  Activation f_;
  std::vector<double> coefficients_;
};

}  // namespace fastcnn
