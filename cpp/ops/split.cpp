#include "ops/split.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

Split::Split(std::vector<std::int64_t> sizes, std::int64_t axis) : sizes_(std::move(sizes)), axis_(axis) {
  if (sizes_.empty()) throw ValueError("got no sizes, expected at least one");
  const auto wrong = std::ranges::find_if(sizes_, [](std::int64_t size) { return size < 1; });
  if (wrong != sizes_.end()) throw ValueError("a size is " + std::to_string(*wrong) + ", expected at least 1");
}

OpPtr Split::make(AttributeReader& attributes) {
  std::vector<std::int64_t> sizes = attributes.integers("sizes");
  return std::make_shared<Split>(std::move(sizes), attributes.integer("axis", 1));
}

Attributes Split::attributes() const { return {{"sizes", sizes_}, {"axis", axis_}}; }

std::string Split::describe(Specs) const {
  std::string text = "Split ";
  for (const std::int64_t size : sizes_) text.append(text.back() == ' ' ? "" : "+").append(std::to_string(size));
  return text + ", axis=" + std::to_string(axis_);
}

std::vector<Spec> Split::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  const int axis = check_axis(axis_, x[0].shape.rank());
  const std::int64_t sum = std::accumulate(sizes_.begin(), sizes_.end(), std::int64_t{0});
  if (sum != x[0].shape[axis])
    throw ShapeError("sizes add up to " + std::to_string(sum) + ", but axis " + std::to_string(axis) + " has " +
                     std::to_string(x[0].shape[axis]) + " elements; x=" + x[0].shape.str());
  std::vector<Spec> y(sizes_.size(), x[0]);
  for (std::size_t i = 0; i < y.size(); ++i) y[i].shape[axis] = sizes_[i];
  return y;
}

}  // namespace fastcnn
