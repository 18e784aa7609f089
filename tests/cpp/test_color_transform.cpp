#include "ops/color_transform.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

using Space = ColorTransform::Space;

Tensor run(const std::vector<double>& rgb, Space to, bool center = false) {
  const Tensor x({{1, 3, static_cast<std::int64_t>(rgb.size() / 3), 1}, DType::float64});
  std::copy(rgb.begin(), rgb.end(), static_cast<double*>(x.data()));
  return OpRunner(std::make_shared<ColorTransform>(to, center), {x}).forward();
}

TEST(ColorTransform, has_the_columns_of_the_yuv_matrix) {
  const Tensor y = run({1, 0, 0, 0, 1, 0, 0, 0, 1}, Space::yuv);
  const double expected[] = {0.2126, -0.09991, 0.615, 0.7152, -0.33609, -0.55861, 0.0722, 0.436, -0.05639};
  for (int i = 0; i < 9; ++i) EXPECT_DOUBLE_EQ(element(y, i), expected[i]);
}

TEST(ColorTransform, grey_has_no_colour_in_lab) {
  const Tensor y = run({0, 0, 0, 0.001, 0.001, 0.001, 0.2, 0.2, 0.2, 1, 1, 1}, Space::lab);
  const double lightness[] = {0, 903.2963 * 0.001, 116 * std::cbrt(0.2) - 16, 100};
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(element(y, 3 * i), lightness[i], 1e-5);
    EXPECT_NEAR(element(y, 3 * i + 1), 0, 1e-10);
    EXPECT_NEAR(element(y, 3 * i + 2), 0, 1e-10);
  }
  EXPECT_NEAR(element(run({1, 1, 1}, Space::lab, true), 0), 50, 1e-10);
}

TEST(ColorTransform, red_is_where_its_xyz_say) {
  const Tensor y = run({1, 0, 0}, Space::lab);
  const double fx = std::cbrt(0.49), fy = std::cbrt(0.17697), fz = 4.0 / 29;
  EXPECT_NEAR(element(y, 0), 116 * fy - 16, 1e-10);
  EXPECT_NEAR(element(y, 1), 500 * (fx - fy), 1e-10);
  EXPECT_NEAR(element(y, 2), 200 * (fy - fz), 1e-10);
}

TEST(ColorTransform, gradients_match_finite_differences) {
  const std::vector<Tensor> x = {random_tensor({{2, 3, 5, 4}, DType::float64}, 1, 0.02, 1)};
  expect_gradients_match_finite_differences(std::make_shared<ColorTransform>(Space::yuv), x);
  expect_gradients_match_finite_differences(std::make_shared<ColorTransform>(Space::lab, true), x);
  expect_gradients_match_finite_differences(std::make_shared<ColorTransform>(Space::lab),
                                            {random_tensor({{2, 3, 5, 4}, DType::float64}, 1, -0.1, 0.005)});
}

TEST(ColorTransform, has_the_same_bytes_at_any_thread_count) {
  for (const Space to : {Space::yuv, Space::lab})
    expect_same_bytes_at_any_thread_count(std::make_shared<ColorTransform>(to),
                                          {random_tensor({{3, 3, 50, 51}}, 1, 0, 1)});
}

TEST(ColorTransform, says_what_does_not_fit) {
  EXPECT_EQ(message_of([] { ColorTransform(Space::yuv).infer(std::vector<Spec>{{{1, 4, 2, 2}}}); }),
            "input has 4 channels, expected 3: red, green and blue; x=(1, 4, 2, 2)");
  EXPECT_EQ(message_of([] { make_op("color_transform", {{"to", "hsv"}}); }),
            "unknown colour space \"hsv\", expected yuv or lab");
  EXPECT_EQ(message_of([] { make_op("color_transform", {{"to", "yuv"}, {"center", true}}); }),
            "center moves L*, which yuv doesn't have");
}

}  // namespace
}  // namespace fastcnn::testing
