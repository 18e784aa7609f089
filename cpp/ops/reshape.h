// The same elements, in row-major order of the logical shape, under another shape. From or to rank 4, which is stored
// channels-last, that is a transposition; else a copy.
#pragma once

#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

// Whether a tensor of the one shape, reshaped to the other, has the same storage.
bool same_storage(const Shape& x, const Shape& y);

// y = x reshaped. between: room for them where both have rank 4 and not the same storage.
void copy_reshaped(ConstView x, View y, void* between);

class Reshape final : public Op {
 public:
  // One extent may be -1: what the others leave. Throws ValueError for more of them, for others below 0, and for more
  // axes than a Shape has.
  explicit Reshape(std::vector<std::int64_t> shape);
  // shape (integers).
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "reshape"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  ScratchSize scratch(Specs x, Phase phase) const override;
  bool forward_in_place(Specs x) const override { return same_storage(x[0].shape, infer(x).shape); }
  bool backward_in_place(Specs x) const override { return forward_in_place(x); }
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  std::vector<std::int64_t> shape_;
};

}  // namespace fastcnn
