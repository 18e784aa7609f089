#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "reference/pool2d.h"
#include "op_testing.h"
#include "ops/avg_pool2d.h"
#include "ops/registry.h"
#include "pool_cases.h"

namespace fastcnn {
namespace {

using testing::OpRunner;
using testing::PoolCase;
using testing::random_tensor;

constexpr PoolKind kinds[] = {PoolKind::average, PoolKind::clipped_average, PoolKind::sum};

OpPtr make_pool(const PoolCase& c, PoolKind kind) { return std::make_shared<AvgPool2d>(c.windows, kind); }

class AvgPool : public ::testing::TestWithParam<PoolCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, AvgPool, ::testing::ValuesIn(testing::pool_cases),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T>
void expect_equals_reference(const PoolCase& c, PoolKind kind, double tolerance) {
  const Tensor x = random_tensor({c.x, dtype_of<T>}, 1);
  OpRunner runner(make_pool(c, kind), {x});
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 2);
  Tensor expected_y(runner.y_spec());
  Tensor expected_dx(x.spec());
  reference::avg_pool2d(slide_pool(c.windows, c.x, kind), c.x[0], static_cast<T*>(x.data()),
                        static_cast<T*>(expected_y.data()), static_cast<T*>(dy.data()),
                        static_cast<T*>(expected_dx.data()));
  testing::expect_near(y, expected_y, tolerance, "y");
  testing::expect_near(runner.backward(dy)[0], expected_dx, tolerance, "dx");
}

TEST_P(AvgPool, EqualsReference) {
  for (const PoolKind kind : kinds) {
    expect_equals_reference<float>(GetParam(), kind, 2e-6);
    expect_equals_reference<double>(GetParam(), kind, 1e-14);
  }
}

TEST_P(AvgPool, GradientMatchesFiniteDifferences) {
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  for (const PoolKind kind : {PoolKind::clipped_average, PoolKind::sum})
    testing::expect_gradients_match_finite_differences(make_pool(GetParam(), kind), {x}, {}, 1e-6, 20);
}

TEST_P(AvgPool, BytesAreTheSameAtAnyThreadCount) {
  testing::expect_same_bytes_at_any_thread_count(make_pool(GetParam(), PoolKind::average),
                                                 {random_tensor({GetParam().x}, 1)});
}

TEST_P(AvgPool, TakesInAnActivation) {
  testing::expect_takes_in_activations(make_pool(GetParam(), PoolKind::clipped_average), GetParam().x);
}

TEST(AvgPool2d, TakesInOneActivationWhoseGradientComesFromItsOutput) {
  const std::int64_t three = 3;
  testing::expect_takes_in_one_activation(make_op("avg_pool2d", {{"kernel", three}}), "AvgPool2d");
  testing::expect_takes_in_one_activation(make_op("avg_pool2d", {{"kernel", three}, {"sum", true}}), "SumPool2d");
  testing::expect_throws<ValueError>(
      [&] { make_op("avg_pool2d", {{"kernel", three}, {"activation", std::string("square")}}); },
      "pooling can't end in square");
}

TEST(AvgPool2d, AdaptiveWindowsOfOneSizeAreOrdinaryOnes) {
  const Tensor x = random_tensor({{2, 37, 12, 10}}, 1);
  OpRunner adaptive(std::make_shared<AvgPool2d>(PoolSpec{.output = {{4, 5}}}, PoolKind::average), {x});
  const PoolSpec windows{.kernel = {3, 2}, .stride = {3, 2}};
  OpRunner sliding(std::make_shared<AvgPool2d>(windows, PoolKind::average), {x});
  testing::expect_same_bytes(adaptive.forward(), sliding.forward(), "y");
  const Tensor dy = random_tensor(adaptive.y_spec(), 2);
  testing::expect_same_bytes(adaptive.backward(dy)[0], sliding.backward(dy)[0], "dx");
}

TEST(AvgPool2d, DividesAsPyTorch) {
  Tensor x({{1, 1, 1, 4}});
  std::copy_n(std::array{1.f, 2.f, 3.f, 4.f}.data(), 4, static_cast<float*>(x.data()));
  const PoolSpec windows{.kernel = {1, 3}, .stride = {1, 3}, .pad = {0, 1}, .ceil_mode = true};
  OpRunner with(std::make_shared<AvgPool2d>(windows, PoolKind::average), {x});
  OpRunner without(std::make_shared<AvgPool2d>(windows, PoolKind::clipped_average), {x});
  // Windows [p 1 2] and [3 4 p].
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(with.forward(), 0)), 1.f);
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(with.forward(), 1)), 7.f / 3);
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(without.forward(), 0)), 1.5f);
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(without.forward(), 1)), 3.5f);
}

TEST(AvgPool2d, CeilModeDoesNotCountWhatItAddsBeyondThePadding) {
  Tensor x({{1, 1, 1, 3}});
  std::copy_n(std::array{1.f, 2.f, 5.f}.data(), 3, static_cast<float*>(x.data()));
  const PoolSpec windows{.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true};
  OpRunner runner(std::make_shared<AvgPool2d>(windows, PoolKind::average), {x});
  const Tensor& y = runner.forward();
  EXPECT_EQ(y.spec().shape, (Shape{1, 1, 1, 2}));
  EXPECT_EQ(testing::element(y, 0), 1.5);
  EXPECT_EQ(testing::element(y, 1), 5);
}

TEST(AvgPool2d, DescribesItself) {
  const OpPtr op =
      make_op("avg_pool2d", {{"kernel", std::vector<std::int64_t>{3, 2}}, {"count_include_pad", false}});
  EXPECT_EQ(op->describe({}), "AvgPool2d 3x2, count_include_pad=false");
  const OpPtr adaptive = make_op("avg_pool2d", {{"output", std::vector<std::int64_t>{7, 6}}});
  EXPECT_EQ(adaptive->describe({}), "AdaptiveAvgPool2d 7x6");
}

}  // namespace
}  // namespace fastcnn
