// Joins the axes from start_dim on into one, in row-major order of the logical shape: (n, c, h, w)
// becomes (n, c*h*w) in CHW order, as PyTorch has it, so that weights of the next layer are the same.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Flatten final : public Op {
 public:
  explicit Flatten(std::int64_t start_dim = 1) : start_dim_(start_dim) {}
  static OpPtr make(AttributeReader& attributes);

  std::int64_t start_dim() const { return start_dim_; }

  std::string_view kind() const override { return "flatten"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }

 private:
  std::int64_t start_dim_;
};

}  // namespace fastcnn
