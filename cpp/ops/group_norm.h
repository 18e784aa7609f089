// Group normalisation (Wu and He 2018, equations 1 to 7): a group is some neighbouring channels of a sample with all
// their pixels. Inputs x (n, c) or (n, c, h, w); gamma and beta (c) or absent.
#pragma once

#include <cstdint>

#include "ops/attributes.h"
#include "ops/grouped_norm.h"

namespace fastcnn {

class GroupNorm final : public GroupedNorm {
 public:
  GroupNorm(std::int64_t groups, double eps);  // throws ValueError for groups < 1 and eps < 0
  static OpPtr make(Attributes& attributes);   // groups, eps (1e-5)

  std::string_view kind() const override { return "group_norm"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;  // throws ShapeError where groups doesn't divide the channels

 protected:
  GroupedColumns columns_of(const Shape& x) const override;

 private:
  std::int64_t groups_;
};

}  // namespace fastcnn
