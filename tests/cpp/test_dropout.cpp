#include "ops/dropout.h"

#include <gtest/gtest.h>

#include "reference/dropout.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

constexpr RunContext training{.training = true, .random = {.seed = 7, .step = 3}};

Tensor ones(std::int64_t n, DType dtype = DType::float32) { return random_tensor({{n}, dtype}, 1, 1.0, 1.0); }

Tensor run(double p, const RunContext& context, std::int64_t stream = 0, std::int64_t n = 4099) {
  return OpRunner(std::make_shared<Dropout>(p, stream), {ones(n)}, context).forward();
}

bool same(const Tensor& a, const Tensor& b) { return std::memcmp(a.data(), b.data(), a.spec().bytes()) == 0; }

TEST(Dropout, zeroes_a_share_of_p_and_scales_the_rest) {
  for (const double p : {0.1, 0.5, 0.8}) {
    const std::int64_t n = 100003;
    const Tensor y = run(p, training, 0, n);
    std::int64_t dropped = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (element(y, i) == 0)
        ++dropped;
      else
        ASSERT_FLOAT_EQ(static_cast<float>(element(y, i)), static_cast<float>(1 / (1 - p)));
    }
    const double deviation = std::sqrt(p * (1 - p) / static_cast<double>(n));
    EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(n), p, 4 * deviation);
  }
}

TEST(Dropout, is_the_identity_outside_of_training_and_for_p_0) {
  expect_same_bytes(run(0.5, {.training = false, .random = {}}), ones(4099), "inference");
  expect_same_bytes(run(0.0, training), ones(4099), "p=0");
}

TEST(Dropout, zeroes_everything_for_p_1) { expect_same_bytes(run(1.0, training), Tensor({{4099}}), "p=1"); }

TEST(Dropout, draws_by_seed_step_and_stream) {
  const Tensor y = run(0.5, training);
  EXPECT_TRUE(same(y, run(0.5, training)));
  EXPECT_FALSE(same(y, run(0.5, {.training = true, .random = {.seed = 8, .step = 3}})));
  EXPECT_FALSE(same(y, run(0.5, {.training = true, .random = {.seed = 7, .step = 4}})));
  EXPECT_FALSE(same(y, run(0.5, training, 1)));
}

TEST(Dropout, drops_what_the_random_words_of_its_stream_say) {
  for (const double p : {0.3, 0.5, 0.9}) {
    const Tensor x = random_tensor({{4099}}, 4);
    const Tensor y = OpRunner(std::make_shared<Dropout>(p, 2), {x}, training).forward();
    for (std::int64_t i = 0; i < 4099; ++i)
      ASSERT_EQ(y.view().as<float>()[i],
                reference::dropout(x.view().as<float>()[i], p, training.random, 2, static_cast<std::uint64_t>(i)));
  }
}

TEST(Dropout, drops_the_same_elements_of_float32_and_float64) {
  const Tensor y32 = run(0.5, training);
  const Tensor y64 = OpRunner(std::make_shared<Dropout>(), {ones(4099, DType::float64)}, training).forward();
  for (std::int64_t i = 0; i < 4099; ++i) ASSERT_EQ(element(y32, i), element(y64, i));
}

TEST(Dropout, passes_gradients_through_the_same_mask) {
  OpRunner runner(std::make_shared<Dropout>(0.3, 5), {ones(1001)}, training);
  const Tensor y = runner.forward();
  expect_same_bytes(runner.backward(ones(1001))[0], y, "gradient of ones");
  expect_gradients_match_finite_differences(std::make_shared<Dropout>(0.3),
                                            {random_tensor({{3, 5, 2, 7}, DType::float64}, 2)}, training);
}

TEST(Dropout, takes_nothing) { EXPECT_EQ(run(0.5, training, 0, 0).spec().shape, (Shape{0})); }

TEST(Dropout, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(std::make_shared<Dropout>(), {random_tensor({{31, 4099}}, 3)}, training);
}

TEST(Dropout, scales_at_inference_if_told) {
  const RunContext inference{.training = false, .random = {}};
  const Tensor inverted = run(0.25, training);
  const auto forward = [&](const RunContext& context) {
    const auto op = std::make_shared<Dropout>(0.25, 0, Dropout::Scaling::inference);
    return OpRunner(op, {ones(4099)}, context).forward();
  };
  const Tensor y = forward(training);
  for (std::int64_t i = 0; i < 4099; ++i) ASSERT_EQ(element(y, i), element(inverted, i) == 0 ? 0 : 1);
  expect_same_bytes(forward(inference), random_tensor({{4099}}, 1, 0.75, 0.75), "inference");
  EXPECT_EQ(make_op("dropout", {{"p", 0.1}, {"scaling", "inference"}})->describe({}),
            "Dropout p=0.1, scaling=inference");
  EXPECT_EQ(message_of([] { make_op("dropout", {{"scaling", "test"}}); }),
            "unknown scaling \"test\", expected training or inference");
}

TEST(Dropout, refuses_probabilities_and_streams_out_of_range) {
  EXPECT_EQ(message_of([] { make_op("dropout", {{"p", 1.5}}); }), "p must lie between 0 and 1, got 1.500000");
  EXPECT_EQ(message_of([] { Dropout(0.5, -1); }), "stream must lie between 0 and 2^23 - 1, got -1");
  EXPECT_THROW(Dropout(std::nan("")), ValueError);
}

}  // namespace
}  // namespace fastcnn::testing
