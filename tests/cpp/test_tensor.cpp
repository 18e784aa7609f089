#include "core/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace fastcnn {
namespace {

TEST(Tensor, default_owns_nothing) { EXPECT_FALSE(Tensor()); }

TEST(Tensor, starts_as_zeros) {
  const Tensor x({Shape{3, 5}, DType::float64});
  const double* begin = x.view().as<double>();
  EXPECT_TRUE(std::all_of(begin, begin + 15, [](double element) { return element == 0.0; }));
}

TEST(Tensor, data_is_aligned) {
  for (const std::int64_t extent : {1, 3, 17, 1000}) {
    const Tensor x({Shape{extent}, DType::float32});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data()) % alignment, 0U);
  }
}

TEST(Tensor, without_elements_still_has_memory) {
  const Tensor x({Shape{0, 3}, DType::float32});
  EXPECT_TRUE(x);
  EXPECT_EQ(x.spec().bytes(), 0U);
}

TEST(Tensor, copies_share_memory) {
  const Tensor x({Shape{4}, DType::float32});
  const Tensor copy = x;
  copy.view().as<float>()[2] = 7.0F;
  EXPECT_EQ(x.view().as<float>()[2], 7.0F);
}

TEST(Spec, bytes_follow_the_dtype) {
  EXPECT_EQ((Spec{Shape{2, 3}, DType::float32}.bytes()), 24U);
  EXPECT_EQ((Spec{Shape{2, 3}, DType::float64}.bytes()), 48U);
  EXPECT_EQ((Spec{Shape{2, 3}, DType::int64}.bytes()), 48U);
}

}  // namespace
}  // namespace fastcnn
