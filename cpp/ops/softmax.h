// y = exp(x) / sum of exp(x) along an axis: the channels of rank 4, the last axis of every other rank.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Softmax final : public Op {
 public:
  explicit Softmax(std::int64_t axis = 1) : axis_(axis) {}
  static OpPtr make(AttributeReader& attributes);

  std::int64_t axis() const { return axis_; }

  std::string_view kind() const override { return "softmax"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.y = 1}; }

 private:
  std::int64_t axis_;
};

}  // namespace fastcnn
