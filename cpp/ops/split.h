// Cuts x into parts of these sizes along an axis, one output each: the inverse of a concatenation.
#pragma once

#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Split final : public Op {
 public:
  // Throws ValueError for no sizes, and one below 1.
  explicit Split(std::vector<std::int64_t> sizes, std::int64_t axis = 1);
  // sizes (integers), axis (1).
  static OpPtr make(AttributeReader& attributes);

  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  std::int64_t axis() const { return axis_; }

  std::string_view kind() const override { return "split"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }

 private:
  std::vector<std::int64_t> sizes_;
  std::int64_t axis_;
};

}  // namespace fastcnn
