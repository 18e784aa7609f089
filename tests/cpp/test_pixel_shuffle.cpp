#include "ops/pixel_shuffle.h"

#include <gtest/gtest.h>

#include "op_testing.h"

namespace fastcnn::testing {
namespace {

using enum PixelShuffle::Order;

OpPtr pixel_shuffle(std::int64_t factor, PixelShuffle::Order order = crd, bool inverse = false) {
  return std::make_shared<PixelShuffle>(factor, order, inverse);
}

// Element (n, c, h, w) of a tensor stored channels-last.
double at(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  const Shape& s = t.spec().shape;
  return element(t, ((n * s[2] + h) * s[3] + w) * s[1] + c);
}

TEST(PixelShuffle, takes_pixels_from_their_channels) {
  for (const std::int64_t f : {1, 2, 3})
    for (const PixelShuffle::Order order : {crd, dcr})
      for (const std::int64_t channels : {1, 2, 5}) {
        const Tensor x = random_tensor({{2, channels * f * f, 3, 5}}, 1);
        const Tensor y = OpRunner(pixel_shuffle(f, order), {x}).forward();
        ASSERT_EQ(y.spec().shape, (Shape{2, channels, 3 * f, 5 * f}));
        for (std::int64_t n = 0; n < 2; ++n)
          for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t h = 0; h < 3 * f; ++h)
              for (std::int64_t w = 0; w < 5 * f; ++w) {
                const std::int64_t place = h % f * f + w % f;
                const std::int64_t channel = order == crd ? c * f * f + place : place * channels + c;
                ASSERT_EQ(at(y, n, c, h, w), at(x, n, channel, h / f, w / f)) << f << ", channel " << c;
              }
        expect_same_bytes(OpRunner(pixel_shuffle(f, order, true), {y}).forward(), x, "back");
      }
}

TEST(PixelShuffle, gradients_match_finite_differences) {
  for (const PixelShuffle::Order order : {crd, dcr}) {
    expect_gradients_match_finite_differences(pixel_shuffle(2, order),
                                              {random_tensor({{2, 12, 2, 3}, DType::float64}, 2)});
    expect_gradients_match_finite_differences(pixel_shuffle(2, order, true),
                                              {random_tensor({{2, 3, 4, 2}, DType::float64}, 2)});
  }
}

TEST(PixelShuffle, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(pixel_shuffle(2), {random_tensor({{3, 28, 50, 51}}, 1)});
  expect_same_bytes_at_any_thread_count(pixel_shuffle(3, dcr, true), {random_tensor({{3, 7, 51, 57}}, 1)});
}

TEST(PixelShuffle, refuses_what_does_not_divide) {
  expect_throws<ValueError>([] { pixel_shuffle(0); }, "factor is 0, expected at least 1");
  const auto infer = [](const OpPtr& op, const Shape& shape) {
    EXPECT_THROW(op->infer(std::vector{Spec{shape}}), ShapeError) << shape.str();
  };
  infer(pixel_shuffle(2), {1, 6, 2, 2});
  infer(pixel_shuffle(2, crd, true), {1, 1, 4, 3});
  infer(pixel_shuffle(2), {4, 4});
}

}  // namespace
}  // namespace fastcnn::testing
