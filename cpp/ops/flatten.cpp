#include "ops/flatten.h"

#include <algorithm>
#include <array>

#include "ops/checks.h"

namespace fastcnn {

OpPtr Flatten::make(AttributeReader& attributes) {
  return std::make_shared<Flatten>(attributes.integer("start_dim", 1));
}

Attributes Flatten::attributes() const { return {{"start_dim", start_dim_}}; }

std::string Flatten::describe(Specs) const {
  return start_dim_ == 1 ? "Flatten" : "Flatten start_dim=" + std::to_string(start_dim_);
}

std::vector<Spec> Flatten::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  const Shape& in = x[0].shape;
  const int start = check_axis(start_dim_, in.rank());
  std::int64_t joined = 1;
  for (int axis = start; axis < in.rank(); ++axis) joined *= in[axis];
  std::array<std::int64_t, Shape::max_rank> extents{};
  std::copy(in.begin(), in.begin() + start, extents.begin());
  extents[static_cast<std::size_t>(start)] = joined;
  return {Spec{Shape(std::span<const std::int64_t>(extents.data(), static_cast<std::size_t>(start) + 1)), x[0].dtype}};
}

}  // namespace fastcnn
