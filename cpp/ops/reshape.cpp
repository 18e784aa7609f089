#include "ops/reshape.h"

#include <algorithm>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace

Reshape::Reshape(std::vector<std::int64_t> shape) : shape_(std::move(shape)) {
  if (shape_.size() > Shape::max_rank)
    throw ValueError("shape has " + std::to_string(shape_.size()) + " axes, expected at most " +
                     std::to_string(Shape::max_rank));
  if (std::ranges::count(shape_, -1) > 1 || std::ranges::any_of(shape_, [](std::int64_t e) { return e < -1; }))
    throw ValueError("shape is " + text_of(shape_) + ", expected no negative extents but one -1");
}

OpPtr Reshape::make(AttributeReader& attributes) { return std::make_shared<Reshape>(attributes.integers("shape")); }

Attributes Reshape::attributes() const { return {{"shape", shape_}}; }

std::string Reshape::describe(Specs) const { return "Reshape to " + text_of(shape_); }

std::vector<Spec> Reshape::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  std::vector<std::int64_t> shape = shape_;
  const std::int64_t elements = x[0].shape.numel();
  const auto open = std::ranges::find(shape, -1);
  if (open != shape.end()) {
    *open = 1;
    const std::int64_t others = Shape(std::span<const std::int64_t>(shape)).numel();
    *open = others > 0 && elements % others == 0 ? elements / others : 0;
  }
  const Spec y{Shape(std::span<const std::int64_t>(shape)), x[0].dtype};
  if (y.shape.numel() != elements)
    throw ShapeError("x=" + x[0].shape.str() + " has " + std::to_string(elements) + " elements, which don't fit " +
                     text_of(shape_));
  return {y};
}

}  // namespace fastcnn
