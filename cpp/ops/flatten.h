// Joins the axes from start_dim on into one, in row-major order of the logical shape: (n, c, h, w)
// becomes (n, c*h*w) in CHW order, as PyTorch has it, so that weights of the next layer are the same.
// From or to rank 4, which is stored channels-last, that is a transposition; else a copy.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Flatten final : public Op {
 public:
  explicit Flatten(std::int64_t start_dim = 1) : start_dim_(start_dim) {}
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "flatten"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool forward_in_place(Specs x) const override;
  bool backward_in_place(Specs x) const override { return forward_in_place(x); }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  std::int64_t start_dim_;
};

}  // namespace fastcnn
