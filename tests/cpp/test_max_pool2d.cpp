#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/reference/pool2d.h"
#include "op_testing.h"
#include "ops/activation.h"
#include "ops/max_pool2d.h"
#include "ops/registry.h"
#include "pool_cases.h"

namespace fastcnn {
namespace {

using testing::element;
using testing::OpRunner;
using testing::PoolCase;
using testing::random_tensor;

OpPtr make_pool(const PoolCase& c) { return std::make_shared<MaxPool2d>(c.windows()); }

class MaxPool : public ::testing::TestWithParam<PoolCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, MaxPool, ::testing::ValuesIn(testing::pool_cases),
                         [](const auto& info) { return std::string(info.param.name); });

// x of few different values, so that windows hold ties.
template <class T>
Tensor with_ties(const Shape& shape) {
  Tensor x = random_tensor({shape, dtype_of<T>}, 1, -3, 3);
  std::for_each_n(static_cast<T*>(x.data()), shape.numel(), [](T& v) { v = std::round(v); });
  return x;
}

template <class T>
void expect_equals_reference(const PoolCase& c) {
  const Tensor x = with_ties<T>(c.x);
  OpRunner runner(make_pool(c), {x});
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 2);
  Tensor expected_y(runner.y_spec());
  Tensor expected_dx(x.spec());
  reference::max_pool2d(slide(c.windows(), c.x), c.x[0], c.x[1], static_cast<T*>(x.data()),
                        static_cast<T*>(expected_y.data()), static_cast<T*>(dy.data()),
                        static_cast<T*>(expected_dx.data()));
  testing::expect_same_bytes(y, expected_y, "y");
  testing::expect_near(runner.backward(dy)[0], expected_dx, 1e-6, "dx");
}

TEST_P(MaxPool, EqualsReferenceWithTies) {
  expect_equals_reference<float>(GetParam());
  expect_equals_reference<double>(GetParam());
}

TEST_P(MaxPool, GradientMatchesFiniteDifferences) {
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  testing::expect_gradients_match_finite_differences(make_pool(GetParam()), {x}, {}, 1e-6, 20);
}

TEST_P(MaxPool, BytesAreTheSameAtAnyThreadCount) {
  testing::expect_same_bytes_at_any_thread_count(make_pool(GetParam()), {random_tensor({GetParam().x}, 1)});
}

TEST_P(MaxPool, TakesInAnActivation) {
  using Kind = Activation::Kind;
  const OpPtr plain = make_pool(GetParam());
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

TEST(MaxPool2d, TakesInOneActivationWhoseGradientComesFromItsOutput) {
  const OpPtr op = make_op("max_pool2d", {{"kernel", std::int64_t{3}}});
  EXPECT_EQ(op->fused_with({Activation::Kind::square}), nullptr);
  const OpPtr fused = op->fused_with({Activation::Kind::relu});
  EXPECT_EQ(fused->describe({}), "MaxPool2d 3x3, relu");
  EXPECT_EQ(fused->fused_with({Activation::Kind::relu}), nullptr);
  testing::expect_throws<ValueError>(
      [] { make_op("max_pool2d", {{"kernel", std::int64_t{3}}, {"activation", std::string("square")}}); },
      "pooling can't end in square");
}

// Inference saves no taps, and takes several vectors of channels at once.
TEST(MaxPool2d, GivesTheSameBytesWhetherTapsAreSavedOrNot) {
  const WindowSpec windows{.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}};
  for (const std::int64_t channels : {1, 16, 121}) {
    Tensor x = with_ties<float>({2, channels, 9, 12});
    static_cast<float*>(x.data())[channels * 20] = std::numeric_limits<float>::quiet_NaN();
    const OpPtr op = std::make_shared<MaxPool2d>(windows);
    OpRunner runner(op, {x});
    Tensor y(runner.y_spec());
    const std::vector<ConstView> inputs{x.view()};
    op->forward({.x = inputs, .y = y.view(), .saved = nullptr, .scratch = {}});
    testing::expect_same_bytes(y, runner.forward(), "y");
  }
}

TEST(MaxPool2d, NaNWinsAndTakesTheGradient) {
  Tensor x({{1, 1, 2, 3}});
  auto* values = static_cast<float*>(x.data());
  std::fill_n(values, 6, 1.f);
  values[1] = std::numeric_limits<float>::quiet_NaN();
  values[2] = 5.f;
  OpRunner runner(std::make_shared<MaxPool2d>(WindowSpec{.kernel = {2, 3}, .stride = {2, 3}}), {x});
  EXPECT_TRUE(std::isnan(element(runner.forward(), 0)));
  Tensor dy({{1, 1, 1, 1}});
  *static_cast<float*>(dy.data()) = 2.f;
  const Tensor dx = runner.backward(dy)[0];
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(element(dx, i), i == 1 ? 2 : 0) << i;
}

TEST(MaxPool2d, MinusInfinityEverywhereStays) {
  Tensor x({{1, 2, 2, 2}});
  std::fill_n(static_cast<float*>(x.data()), 8, -std::numeric_limits<float>::infinity());
  OpRunner runner(std::make_shared<MaxPool2d>(WindowSpec{.kernel = {2, 2}, .stride = {2, 2}, .pad = {1, 1}}),
                  {x});
  EXPECT_EQ(element(runner.forward(), 0), -std::numeric_limits<double>::infinity());
}

TEST(MaxPool2d, StrideIsTheKernelUnlessGiven) {
  const std::vector<Spec> x{{{2, 3, 13, 13}}};
  const OpPtr op = make_op("max_pool2d", {{"kernel", std::int64_t{3}}});
  EXPECT_EQ(op->infer(x).shape, (Shape{2, 3, 4, 4}));
  EXPECT_EQ(op->describe(x), "MaxPool2d 3x3");
  const OpPtr ceil = make_op("max_pool2d", {{"kernel", std::int64_t{3}},
                                            {"stride", std::int64_t{2}},
                                            {"pad", std::int64_t{1}},
                                            {"ceil_mode", true}});
  EXPECT_EQ(ceil->infer(x).shape, (Shape{2, 3, 7, 7}));
  EXPECT_EQ(ceil->describe(x), "MaxPool2d 3x3, stride=2, pad=1, ceil_mode");
}

TEST(MaxPool2d, RefusesWhatMakesNoSense) {
  const std::vector<Spec> x{{{2, 3, 5, 13}}};
  const std::int64_t six = 6;
  testing::expect_throws<ValueError>([] { make_op("max_pool2d", {}); }, "kernel is missing");
  testing::expect_throws<ValueError>(
      [&] { make_op("max_pool2d", {{"kernel", six}, {"pad", std::int64_t{4}}}); },
      "pad 4 is more than half of kernel 6");
  testing::expect_throws<ShapeError>([&] { make_op("max_pool2d", {{"kernel", six}})->infer(x); },
                                     "kernel of 6 is larger than the input of 5 along the height");
  testing::expect_throws<ShapeError>(
      [&] { make_op("max_pool2d", {{"kernel", six}})->infer(std::vector<Spec>{{{2, 3}}}); }, "rank 2");
  testing::expect_throws<DTypeError>(
      [&] {
        make_op("max_pool2d", {{"kernel", six}})->infer(std::vector<Spec>{{{2, 3, 8, 8}, DType::int64}});
      },
      "int64");
}

}  // namespace
}  // namespace fastcnn
