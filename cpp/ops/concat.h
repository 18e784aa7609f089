// Any number of inputs, one behind the other along an axis: by default along the channels.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Concat final : public Op {
 public:
  explicit Concat(std::int64_t axis = 1) : axis_(axis) {}
  static OpPtr make(AttributeReader& attributes);

  std::int64_t axis() const { return axis_; }

  std::string_view kind() const override { return "concat"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }

 private:
  std::int64_t axis_;
};

}  // namespace fastcnn
