// y = the largest of the inputs, element by element; all of one shape. Its gradient goes to the first input that holds
// the largest element.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Maximum final : public Op {
 public:
  static OpPtr make(AttributeReader&) { return std::make_shared<Maximum>(); }

  std::string_view kind() const override { return "maximum"; }
  Attributes attributes() const override;
  std::string describe(Specs) const override { return "Maximum"; }
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }
};

}  // namespace fastcnn
