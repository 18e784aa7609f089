#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "cpu/reference/pool2d.h"
#include "op_testing.h"
#include "ops/activation.h"
#include "ops/avg_pool2d.h"
#include "ops/registry.h"
#include "pool_cases.h"

namespace fastcnn {
namespace {

using testing::OpRunner;
using testing::PoolCase;
using testing::random_tensor;

OpPtr make_pool(const PoolCase& c, bool count_include_pad) {
  return std::make_shared<AvgPool2d>(c.windows(), count_include_pad);
}

class AvgPool : public ::testing::TestWithParam<PoolCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, AvgPool, ::testing::ValuesIn(testing::pool_cases),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T>
void expect_equals_reference(const PoolCase& c, bool count_include_pad, double tolerance) {
  const Tensor x = random_tensor({c.x, dtype_of<T>}, 1);
  OpRunner runner(make_pool(c, count_include_pad), {x});
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 2);
  Tensor expected_y(runner.y_spec());
  Tensor expected_dx(x.spec());
  reference::avg_pool2d(slide(c.windows(), c.x), c.x[0], c.x[1], count_include_pad, static_cast<T*>(x.data()),
                        static_cast<T*>(expected_y.data()), static_cast<T*>(dy.data()),
                        static_cast<T*>(expected_dx.data()));
  testing::expect_near(y, expected_y, tolerance, "y");
  testing::expect_near(runner.backward(dy)[0], expected_dx, tolerance, "dx");
}

TEST_P(AvgPool, EqualsReference) {
  for (const bool count_include_pad : {true, false}) {
    expect_equals_reference<float>(GetParam(), count_include_pad, 1e-6);
    expect_equals_reference<double>(GetParam(), count_include_pad, 1e-14);
  }
}

TEST_P(AvgPool, GradientMatchesFiniteDifferences) {
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  testing::expect_gradients_match_finite_differences(make_pool(GetParam(), false), {x}, {}, 1e-6, 20);
}

TEST_P(AvgPool, BytesAreTheSameAtAnyThreadCount) {
  testing::expect_same_bytes_at_any_thread_count(make_pool(GetParam(), true),
                                                 {random_tensor({GetParam().x}, 1)});
}

TEST_P(AvgPool, TakesInAnActivation) {
  using Kind = Activation::Kind;
  const OpPtr plain = make_pool(GetParam(), false);
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  for (const Activation& f : {Activation{Kind::relu}, {Kind::tanh, 1.5, 0.7}, {Kind::linear, 2.0, -0.5}}) {
    const OpPtr fused = plain->fused_with(f);
    ASSERT_NE(fused, nullptr);
    testing::expect_gradients_match_finite_differences(fused, {x}, {}, 1e-6, 20);
    OpRunner pool(plain, {random_tensor({GetParam().x}, 1)});
    OpRunner activation(std::make_shared<ActivationOp>(f), {pool.forward()});
    testing::expect_same_bytes(OpRunner(fused, pool.x()).forward(), activation.forward(), "y");
    testing::expect_same_bytes_at_any_thread_count(fused, pool.x());
  }
}

TEST(AvgPool2d, TakesInOneActivationWhoseGradientComesFromItsOutput) {
  const OpPtr op = make_op("avg_pool2d", {{"kernel", std::int64_t{3}}});
  EXPECT_EQ(op->fused_with({Activation::Kind::square}), nullptr);
  const OpPtr fused = op->fused_with({Activation::Kind::relu});
  EXPECT_EQ(fused->describe({}), "AvgPool2d 3x3, relu");
  EXPECT_EQ(fused->fused_with({Activation::Kind::relu}), nullptr);
  testing::expect_throws<ValueError>(
      [] { make_op("avg_pool2d", {{"kernel", std::int64_t{3}}, {"activation", std::string("square")}}); },
      "pooling can't end in square");
}

TEST(AvgPool2d, DividesAsPyTorch) {
  Tensor x({{1, 1, 1, 4}});
  std::copy_n(std::array{1.f, 2.f, 3.f, 4.f}.data(), 4, static_cast<float*>(x.data()));
  const WindowSpec windows{.kernel = {1, 3}, .stride = {1, 3}, .pad = {0, 1}, .ceil_mode = true};
  OpRunner with(std::make_shared<AvgPool2d>(windows, true), {x});
  OpRunner without(std::make_shared<AvgPool2d>(windows, false), {x});
  // Windows [p 1 2] and [3 4 p].
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(with.forward(), 0)), 1.f);
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(with.forward(), 1)), 7.f / 3);
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(without.forward(), 0)), 1.5f);
  EXPECT_FLOAT_EQ(static_cast<float>(testing::element(without.forward(), 1)), 3.5f);
}

TEST(AvgPool2d, CeilModeDoesNotCountWhatItAddsBeyondThePadding) {
  Tensor x({{1, 1, 1, 3}});
  std::copy_n(std::array{1.f, 2.f, 5.f}.data(), 3, static_cast<float*>(x.data()));
  const WindowSpec windows{.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true};
  OpRunner runner(std::make_shared<AvgPool2d>(windows, true), {x});
  const Tensor& y = runner.forward();
  EXPECT_EQ(y.spec().shape, (Shape{1, 1, 1, 2}));
  EXPECT_EQ(testing::element(y, 0), 1.5);
  EXPECT_EQ(testing::element(y, 1), 5);
}

TEST(AvgPool2d, DescribesItself) {
  const OpPtr op =
      make_op("avg_pool2d", {{"kernel", std::vector<std::int64_t>{3, 2}}, {"count_include_pad", false}});
  EXPECT_EQ(op->describe({}), "AvgPool2d 3x2, count_include_pad=false");
}

}  // namespace
}  // namespace fastcnn
