#include "ops/stochastic_pool2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "reference/pool2d.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"
#include "pool_cases.h"

namespace fastcnn::testing {
namespace {

constexpr RunContext training{.training = true, .random = {.seed = 7, .step = 3}};
constexpr std::int64_t stream = 2;

OpPtr make_pool(const PoolSpec& windows, bool sample, std::int64_t of = stream) {
  return std::make_shared<StochasticPool2d>(windows, sample, of);
}

class StochasticPool : public ::testing::TestWithParam<PoolCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, StochasticPool, ::testing::ValuesIn(pool_cases),
                         [](const auto& info) { return std::string(info.param.name); });

// Two of three elements are negative.
Tensor sparse(const Shape& shape, DType dtype) { return random_tensor({shape, dtype}, 1, -2, 1); }

template <class T>
void expect_equals_reference(const PoolCase& c, bool sample) {
  const Tensor x = sparse(c.x, dtype_of<T>);
  OpRunner runner(make_pool(c.windows, sample), {x}, training);
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 2);
  Tensor expected_y(runner.y_spec()), expected_dx(x.spec());
  const Pooling p = slide_pool(c.windows, c.x, PoolKind::stochastic);
  const auto data = [](const Tensor& tensor) { return static_cast<T*>(tensor.data()); };
  if (sample)
    reference::stochastic_pool2d(p, training.random, stream, c.x[0], data(x), data(expected_y), data(dy),
                                 data(expected_dx));
  else
    reference::weighted_pool2d(p, c.x[0], data(x), data(expected_y), data(dy), data(expected_dx));
  expect_near(y, expected_y, sample ? 0 : 1e-6, "y");
  const bool cancels = !sample && sizeof(T) == 4;  // in 2 x - y
  expect_near(runner.backward(dy)[0], expected_dx, cancels ? 1e-5 : 1e-6, "dx");
}

TEST_P(StochasticPool, EqualsReference) {
  for (const bool sample : {true, false}) {
    expect_equals_reference<float>(GetParam(), sample);
    expect_equals_reference<double>(GetParam(), sample);
  }
}

TEST_P(StochasticPool, GradientsMatchFiniteDifferences) {
  for (const bool sample : {true, false})
    expect_gradients_match_finite_differences(make_pool(GetParam().windows, sample),
                                              {sparse(GetParam().x, DType::float64)}, training, 1e-5, 20);
}

TEST_P(StochasticPool, BytesAreTheSameAtAnyThreadCount) {
  for (const bool sample : {true, false})
    expect_same_bytes_at_any_thread_count(make_pool(GetParam().windows, sample),
                                          {sparse(GetParam().x, DType::float32)}, training);
}

// Inference gives the mean.
TEST_P(StochasticPool, DrawsOnlyInTraining) {
  const Tensor x = sparse(GetParam().x, DType::float32);
  const auto forward = [&](bool sample) {
    return OpRunner(make_pool(GetParam().windows, sample), {x}, {.training = false, .random = {}}).forward();
  };
  expect_same_bytes(forward(true), forward(false), "y");
}

const PoolSpec two_by_two{.kernel = {2, 2}, .stride = {2, 2}};

Tensor window(const std::array<float, 4>& values, std::int64_t channels) {
  Tensor x({{1, channels, 2, 2}});
  auto* to = static_cast<float*>(x.data());
  for (const float value : values) to = std::fill_n(to, channels, value);
  return x;
}

TEST(StochasticPool2d, DrawsEachElementAsOftenAsItsShareOfTheSum) {
  constexpr std::int64_t n = 100003;
  const Tensor y = OpRunner(make_pool(two_by_two, true), {window({1, 2, -3, 5}, n)}, training).forward();
  for (const double value : {1.0, 2.0, -3.0, 5.0}) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) count += element(y, i) == value ? 1 : 0;
    const double share = std::max(value, 0.0) / 8;
    EXPECT_NEAR(static_cast<double>(count) / n, share, 4 * std::sqrt(share * (1 - share) / n)) << value;
  }
}

TEST(StochasticPool2d, WeighsElementsByTheirShareOfTheSum) {
  const Tensor y = OpRunner(make_pool(two_by_two, false), {window({1, 2, -3, 5}, 19)}).forward();
  for (std::int64_t c = 0; c < 19; ++c) EXPECT_FLOAT_EQ(static_cast<float>(element(y, c)), 30.f / 8);
}

TEST(StochasticPool2d, IsZeroWithoutAGradientWhereNothingIsPositive) {
  const Shape shape{2, 17, 4, 4};
  for (const bool sample : {true, false})
    for (const double least : {-1.0, 0.0}) {
      OpRunner runner(make_pool(two_by_two, sample), {random_tensor({shape}, 1, least, 0.0)}, training);
      expect_same_bytes(runner.forward(), Tensor(runner.y_spec()), "y");
      expect_same_bytes(runner.backward(random_tensor(runner.y_spec(), 2))[0], Tensor(Spec(shape)), "dx");
    }
}

// 256 taps are one too many for a byte that also has to say "none of them".
TEST(StochasticPool2d, CountsTheTapsOfLargeWindows) {
  Tensor x({{1, 2, 16, 16}});
  static_cast<float*>(x.data())[2 * 255] = 3;
  OpRunner runner(make_pool({.kernel = {16, 16}}, true), {x}, training);
  EXPECT_EQ(element(runner.forward(), 0), 3);
  const Tensor dx = runner.backward(random_tensor(runner.y_spec(), 2, 1.0, 1.0))[0];
  for (std::int64_t i = 0; i < 512; ++i) EXPECT_EQ(element(dx, i), i == 2 * 255 ? 1 : 0) << i;
}

TEST(StochasticPool2d, HandsOnNaN) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const bool sample : {true, false}) {
    const Tensor y = OpRunner(make_pool(two_by_two, sample), {window({1, nan, -3, 5}, 17)}, training).forward();
    for (std::int64_t c = 0; c < 17; ++c) EXPECT_TRUE(std::isnan(element(y, c)));
  }
}

TEST(StochasticPool2d, DrawsBySeedStepAndStream) {
  const Tensor x = random_tensor({{2, 20, 8, 8}}, 1, 0.0, 1.0);
  const auto draw = [&](std::int64_t of, std::uint64_t seed, std::uint64_t step) {
    OpRunner runner(make_pool(two_by_two, true, of), {x}, {.training = true, .random = {.seed = seed, .step = step}});
    const Tensor y = runner.forward();
    const auto* values = static_cast<const float*>(y.data());
    return std::vector<float>(values, values + y.spec().shape.numel());
  };
  EXPECT_EQ(draw(0, 1, 2), draw(0, 1, 2));
  EXPECT_NE(draw(0, 1, 2), draw(1, 1, 2));
  EXPECT_NE(draw(0, 1, 2), draw(0, 2, 2));
  EXPECT_NE(draw(0, 1, 2), draw(0, 1, 3));
}

TEST(StochasticPool2d, DescribesItselfAndRefusesWhatMakesNoSense) {
  const std::int64_t two = 2, three = 3;
  EXPECT_EQ(make_op("stochastic_pool2d", {{"kernel", three}, {"stride", two}})->describe({}),
            "StochasticPool2d 3x3, stride=2");
  EXPECT_EQ(make_op("stochastic_pool2d", {{"kernel", three}, {"sample", false}})->describe({}),
            "StochasticPool2d 3x3, mean");
  EXPECT_EQ(message_of([] { make_op("stochastic_pool2d", {}); }), "kernel is missing");
  EXPECT_EQ(message_of([&] { make_op("stochastic_pool2d", {{"kernel", two}, {"stream", -1}}); }),
            "stream must lie between 0 and 2^23 - 1, got -1");
}

}  // namespace
}  // namespace fastcnn::testing
