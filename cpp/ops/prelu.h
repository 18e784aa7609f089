// y = x where x > 0, else w x, with learned slopes w: one for all elements, or one for each channel (He et al.,
// "Delving deep into rectifiers", 2015). Inputs x, w; w of rank 1 has 1 element, or as many as x has channels.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class PRelu final : public Op {
 public:
  static OpPtr make(AttributeReader& attributes);

  std::string_view kind() const override { return "prelu"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.x = 0b11}; }
  bool is_cheap() const override { return true; }
};

}  // namespace fastcnn
