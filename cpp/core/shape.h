// Extents of a tensor, outermost first. Rank 4 reads (n, c, h, w) for values and
// (c_out, c_in, k_h, k_w) for convolution weights, whatever the storage order (core/tensor.h).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace fastcnn {

class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;                                  // rank 0: a scalar
  Shape(std::initializer_list<std::int64_t> extents)  // throws ShapeError past max_rank or below 0
      : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t& operator[](int axis) { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t numel() const;  // 1 for a scalar
  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }
  std::string str() const;  // "(8, 64, 27, 27)"

  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace fastcnn
