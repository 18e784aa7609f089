#include "core/shape.h"

#include <algorithm>

#include "core/error.h"

namespace fastcnn {

Shape::Shape(std::span<const std::int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  if (extents.size() > static_cast<std::size_t>(max_rank)) {
    throw ShapeError("a tensor has at most " + std::to_string(max_rank) + " axes, got " +
                     std::to_string(extents.size()));
  }
  for (const std::int64_t extent : extents) {
    if (extent < 0) throw ShapeError("negative extent " + std::to_string(extent));
  }
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

std::int64_t Shape::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : *this) {
    if (__builtin_mul_overflow(product, extent, &product)) {
      throw ShapeError("too many elements: " + str());
    }
  }
  return product;
}

std::string Shape::str() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string((*this)[axis]);
  }
  return text + (rank_ == 1 ? ",)" : ")");
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

}  // namespace fastcnn
