// Group normalisation (Wu and He 2018, equations 1 to 7): y = gamma (x - mean) / sqrt(variance + eps) + beta, mean and
// biased variance over some neighbouring channels of a sample with all their pixels, gamma and beta by channel.
// Inputs x (n, c) or (n, c, h, w); gamma and beta (c), each of which may be absent.
#pragma once

#include <cstdint>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class GroupNorm final : public Op {
 public:
  GroupNorm(std::int64_t groups, double eps);  // throws ValueError for groups < 1 and eps < 0
  static OpPtr make(AttributeReader& attributes);  // groups (1), eps (1e-5)

  std::int64_t groups() const { return groups_; }
  double eps() const { return eps_; }

  std::string_view kind() const override { return "group_norm"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;  // throws ShapeError where groups doesn't divide the channels
  Needs backward_needs(Specs x) const override;
  bool is_cheap() const override { return true; }

 private:
  std::int64_t groups_;
  double eps_;
};

}  // namespace fastcnn
