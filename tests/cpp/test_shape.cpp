#include "core/shape.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "core/error.h"

namespace fastcnn {
namespace {

TEST(Shape, default_is_a_scalar) {
  const Shape shape;
  EXPECT_EQ(shape.rank(), 0);
  EXPECT_EQ(shape.numel(), 1);
  EXPECT_EQ(shape.str(), "()");
}

TEST(Shape, str_reads_like_a_python_tuple) {
  EXPECT_EQ(Shape({8}).str(), "(8,)");
  EXPECT_EQ(Shape({8, 64, 27, 27}).str(), "(8, 64, 27, 27)");
}

TEST(Shape, numel_is_the_product_of_extents) {
  EXPECT_EQ(Shape({2, 3, 5}).numel(), 30);
  EXPECT_EQ(Shape({2, 0, 5}).numel(), 0);
}

TEST(Shape, numel_refuses_to_overflow) {
  const Shape shape{std::numeric_limits<std::int64_t>::max(), 2};
  EXPECT_THROW(shape.numel(), ShapeError);
}

TEST(Shape, equal_shapes_have_equal_rank_and_extents) {
  EXPECT_EQ(Shape({2, 3}), Shape({2, 3}));
  EXPECT_NE(Shape({2, 3}), Shape({3, 2}));
  EXPECT_NE(Shape({2}), Shape({2, 1}));
}

TEST(Shape, refuses_negative_extents) { EXPECT_THROW(Shape({2, -1}), ShapeError); }

TEST(Shape, refuses_more_axes_than_max_rank) {
  const std::vector<std::int64_t> extents(Shape::max_rank + 1, 1);
  EXPECT_THROW(Shape{std::span<const std::int64_t>(extents)}, ShapeError);
}

}  // namespace
}  // namespace fastcnn
