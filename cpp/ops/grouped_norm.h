// What group norm and layer norm share. A batch is one matrix per sample, and the columns of a matrix fall into groups
// of neighbours. The values of a group become gamma (x - mean) / sqrt(variance + eps) + beta, mean and biased variance
// being theirs, gamma and beta by column. Inputs x; gamma and beta, each of which may be absent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/op.h"

namespace fastcnn {

struct GroupedColumns {
  std::int64_t samples, rows, cols, groups;
  // Above 1, gamma and beta lie by plane, so many planes, and then by pixel; the columns by pixel and then by plane.
  std::int64_t planes = 1;
};

class GroupedNorm : public Op {
 public:
  Needs backward_needs(Specs x) const override;
  ScratchSize scratch(Specs x, Phase phase) const override;
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  bool is_cheap() const override { return true; }
  void forward(const ForwardArgs& args) const override;
  void recompute(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 protected:
  explicit GroupedNorm(double eps);  // throws ValueError below 0
  // Throws ShapeError, DTypeError unless gamma and beta have this shape and the type of x, or are absent.
  static void check_affine(Specs x, const Shape& expected);
  virtual GroupedColumns columns_of(const Shape& x) const = 0;

 private:
  double eps_;
};

}  // namespace fastcnn
