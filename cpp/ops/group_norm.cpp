#include "ops/group_norm.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

GroupNorm::GroupNorm(std::int64_t groups, double eps) : groups_(groups), eps_(eps) {
  if (groups < 1) throw ValueError("groups must be at least 1, got " + std::to_string(groups));
  check_eps(eps);
}

OpPtr GroupNorm::make(AttributeReader& attributes) {
  const std::int64_t groups = attributes.integer("groups", 1);
  return std::make_shared<GroupNorm>(groups, attributes.real("eps", 1e-5));
}

Attributes GroupNorm::attributes() const { return {{"groups", groups_}, {"eps", eps_}}; }

std::string GroupNorm::describe(Specs x) const {
  std::string text = "GroupNorm";
  if (!x.empty() && x[0].shape.rank() >= 2) text.append(" ").append(std::to_string(x[0].shape[1]));
  return text + ", groups=" + std::to_string(groups_);
}

std::vector<Spec> GroupNorm::infer(Specs x) const {
  check_inputs(x, 1, 3, "x, gamma and beta");
  check_floating(x[0]);
  const int rank = x[0].shape.rank();
  if (rank != 2 && rank != 4) {
    throw ShapeError("input has rank " + std::to_string(rank) + ", expected 2 (n, c) or 4 (n, c, h, w); got " +
                         x[0].shape.str(),
                     0);
  }
  const std::int64_t channels = x[0].shape[1];
  if (channels % groups_ != 0) {
    throw ShapeError("input has " + std::to_string(channels) + (channels == 1 ? " channel" : " channels") +
                     ", expected a multiple of groups=" + std::to_string(groups_),
                     0);
  }
  check_gamma_beta(x, Shape{channels});
  return {x[0]};
}

Needs GroupNorm::backward_needs(Specs x) const {
  const auto statistics = static_cast<std::size_t>(2 * x[0].shape[0] * groups_);
  return {.x = is_present(x, 1) ? 3u : 1u, .saved_bytes = statistics * size_of(x[0].dtype)};
}

}  // namespace fastcnn
