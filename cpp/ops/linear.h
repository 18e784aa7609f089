// y = f(x w^T + b): inputs x (n, features), w (out, features) and optionally b (out); y (n, out). The
// activation f is applied while the product is in cache.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Linear final : public Op {
 public:
  // Throws ValueError for an activation whose gradient can't be computed from y.
  explicit Linear(const Activation& f = {});
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "linear"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  std::int64_t macs(Specs x) const override;
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  Activation f_;
};

}  // namespace fastcnn
