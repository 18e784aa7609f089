// y[n, j, ...] = x[n, index[j], ...]: channels in any order, some perhaps several times or not at all, such as those
// that each group of a sparsely connected convolution reads. Inputs x (n, c) or (n, c, h, w) and index (m) of int64.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class GatherChannels final : public Op {
 public:
  static OpPtr make(AttributeReader&) { return std::make_shared<GatherChannels>(); }

  std::string_view kind() const override { return "gather_channels"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  bool differentiable(int input) const override { return input == 0; }
  Needs backward_needs(Specs) const override { return {.x = 0b10}; }
};

}  // namespace fastcnn
