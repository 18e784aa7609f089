#include "ops/prelu.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

const Shape shapes[] = {{0, 3}, {1, 3}, {7, 13}, {2, 3, 5, 7}, {3, 5, 31, 33}, {0, 2, 4, 4}};

TEST(PRelu, multiplies_what_is_not_above_0_by_the_slope_of_its_channel) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : shapes)
      for (const std::int64_t slopes : {std::int64_t{1}, shape[1]}) {
        const Tensor x = random_tensor({shape, dtype}, 1), w = random_tensor({{slopes}, dtype}, 2);
        const Tensor y = OpRunner(make_op("prelu", {}), {x, w}).forward();
        for (std::int64_t i = 0; i < shape.numel(); ++i) {
          const double value = element(x, i);
          const double slope = element(w, slopes == 1 ? 0 : i % shape[1]);  // channels are the innermost axis
          ASSERT_NEAR(element(y, i), value > 0 ? value : slope * value, 1e-7) << shape.str() << " " << i;
        }
      }
}

TEST(PRelu, one_slope_serves_any_rank) {
  const Tensor x = random_tensor({{2, 3, 5}}, 1, -1, 0), w = random_tensor({{1}}, 2, 0.5, 0.5);
  const Tensor y = OpRunner(make_op("prelu", {}), {x, w}).forward();
  for (std::int64_t i = 0; i < 30; ++i) ASSERT_EQ(element(y, i), element(x, i) / 2);
}

TEST(PRelu, gradients_match_finite_differences) {
  for (const Shape& shape : {Shape{7, 13}, Shape{2, 3, 5, 7}, Shape{1, 1, 1, 1}})
    for (const std::int64_t slopes : {std::int64_t{1}, shape[1]})
      expect_gradients_match_finite_differences(
          make_op("prelu", {}),
          {random_tensor({shape, DType::float64}, 1), random_tensor({{slopes}, DType::float64}, 2)});
}

TEST(PRelu, each_gradient_can_be_had_alone) {
  const std::vector<Tensor> x = {random_tensor({{2, 3, 40, 40}}, 1), random_tensor({{3}}, 2)};
  OpRunner runner(make_op("prelu", {}), x);
  const Tensor dy = random_tensor(runner.forward().spec(), 3);
  const std::vector<Tensor> both = runner.backward(dy);
  expect_same_bytes(runner.backward(dy, {true, false})[0], both[0], "dx");
  expect_same_bytes(runner.backward(dy, {false, true})[1], both[1], "dw");
}

TEST(PRelu, the_gradient_of_no_elements_is_0) {
  OpRunner runner(make_op("prelu", {}), {Tensor({{0, 3}}), random_tensor({{3}}, 2)});
  expect_same_bytes(runner.backward(runner.forward())[1], random_tensor({{3}}, 1, 0, 0), "dw");
}

TEST(PRelu, has_the_same_bytes_at_any_thread_count) {
  for (const std::int64_t slopes : {1, 31})
    expect_same_bytes_at_any_thread_count(make_op("prelu", {}),
                                          {random_tensor({{3, 31, 50, 51}}, 1), random_tensor({{slopes}}, 2)});
}

TEST(PRelu, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { PRelu().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3}}, {{2}}}), "w has 2 slopes, expected 1 or 3, the channels of x; x=(2, 3)");
  EXPECT_EQ(infer({{{2, 3, 4}}, {{3}}}), "w has 3 slopes, expected 1; x=(2, 3, 4)");
  EXPECT_EQ(infer({{{2, 3}}, {{1, 3}}}), "w has shape (1, 3), expected one axis");
  EXPECT_EQ(infer({{{2, 3}}, {{3}, DType::float64}}), "w has type float64, expected float32, as x");
}

}  // namespace
}  // namespace fastcnn::testing
