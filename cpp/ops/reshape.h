// The same elements, in row-major order of the logical shape, under another shape.
#pragma once

#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Reshape final : public Op {
 public:
  // One extent may be -1: what the others leave. Throws ValueError for more of them, for others below 0, and for more
  // axes than a Shape has.
  explicit Reshape(std::vector<std::int64_t> shape);
  // shape (integers).
  static OpPtr make(AttributeReader& attributes);

  const std::vector<std::int64_t>& shape() const { return shape_; }

  std::string_view kind() const override { return "reshape"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool is_cheap() const override { return true; }

 private:
  std::vector<std::int64_t> shape_;
};

}  // namespace fastcnn
