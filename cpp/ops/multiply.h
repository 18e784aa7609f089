// y = the product of the inputs, element by element; all of one shape.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Multiply final : public Op {
 public:
  static OpPtr make(AttributeReader&) { return std::make_shared<Multiply>(); }

  std::string_view kind() const override { return "multiply"; }
  Attributes attributes() const override;
  std::string describe(Specs) const override { return "Multiply"; }
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }
};

}  // namespace fastcnn
