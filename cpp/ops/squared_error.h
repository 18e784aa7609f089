// (x - target)^2, or x^2 without a target, element by element, then reduced. Both inputs have gradients.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/reduction.h"

namespace fastcnn {

class SquaredError final : public Op {
 public:
  explicit SquaredError(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  static OpPtr make(AttributeReader& attributes);

  Reduction reduction() const { return reduction_; }

  std::string_view kind() const override { return "squared_error"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override { return {.x = x.size() > 1 ? 0b11u : 0b1u}; }

 private:
  Reduction reduction_;
};

}  // namespace fastcnn
