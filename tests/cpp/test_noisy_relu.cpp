#include "ops/noisy_relu.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

constexpr RunContext training{.training = true, .random = {.seed = 7, .step = 3}};

Tensor run(const Tensor& x, const RunContext& context, std::int64_t stream = 0) {
  return OpRunner(std::make_shared<NoisyRelu>(stream), {x}, context).forward();
}

bool same(const Tensor& a, const Tensor& b) { return std::memcmp(a.data(), b.data(), a.spec().bytes()) == 0; }

TEST(NoisyRelu, adds_normal_noise_of_variance_sigmoid_x) {
  constexpr std::int64_t n = 200000;
  for (const double x : {8.0, 3.0, 0.0}) {
    const double s = 1 / (1 + std::exp(-x));
    const Tensor y = run(random_tensor({{n}, DType::float64}, 1, x, x), training);
    double sum = 0, squares = 0, above = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      sum += element(y, i) - x;
      squares += (element(y, i) - x) * (element(y, i) - x);
      above += element(y, i) > x + std::sqrt(s) ? 1 : 0;
      ASSERT_GE(element(y, i), 0);
    }
    EXPECT_NEAR(above / n, 0.158655, 0.004) << x;
    if (x < 4) continue;  // bounded below
    EXPECT_NEAR(sum / n, 0, 0.01) << x;
    EXPECT_NEAR(squares / n, s, 0.02) << x;
  }
}

TEST(NoisyRelu, is_relu_outside_of_training) {
  const Tensor x = random_tensor({{2, 3, 5, 7}}, 1);
  const Tensor y = run(x, {.training = false, .random = {}});
  for (std::int64_t i = 0; i < 210; ++i) ASSERT_EQ(element(y, i), std::max(element(x, i), 0.0));
}

TEST(NoisyRelu, draws_by_seed_step_and_stream) {
  const Tensor x = random_tensor({{4099}}, 1);
  const Tensor y = run(x, training);
  EXPECT_TRUE(same(y, run(x, training)));
  EXPECT_FALSE(same(y, run(x, {.training = true, .random = {.seed = 8, .step = 3}})));
  EXPECT_FALSE(same(y, run(x, {.training = true, .random = {.seed = 7, .step = 4}})));
  EXPECT_FALSE(same(y, run(x, training, 1)));
}

TEST(NoisyRelu, gradients_match_finite_differences) {
  expect_gradients_match_finite_differences(std::make_shared<NoisyRelu>(2),
                                            {random_tensor({{3, 5, 7, 11}, DType::float64}, 2, -3, 3)}, training);
}

TEST(NoisyRelu, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(std::make_shared<NoisyRelu>(), {random_tensor({{31, 4099}}, 3)}, training);
  expect_same_bytes_at_any_thread_count(std::make_shared<NoisyRelu>(), {Tensor({{0, 3}})}, training);
}

TEST(NoisyRelu, refuses_streams_out_of_range) {
  EXPECT_EQ(message_of([] { make_op("noisy_relu", {{"stream", -1}}); }),
            "stream must lie between 0 and 2^23 - 1, got -1");
}

}  // namespace
}  // namespace fastcnn::testing
