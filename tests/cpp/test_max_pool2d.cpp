#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "reference/pool2d.h"
#include "op_testing.h"
#include "ops/max_pool2d.h"
#include "ops/registry.h"
#include "pool_cases.h"

namespace fastcnn {
namespace {

using testing::element;
using testing::OpRunner;
using testing::PoolCase;
using testing::random_tensor;

OpPtr make_pool(const PoolCase& c, bool abs) { return std::make_shared<MaxPool2d>(c.windows, abs); }

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
void expect_equals_reference(const PoolCase& c, bool abs) {
  const Tensor x = with_ties<T>(c.x);
  OpRunner runner(make_pool(c, abs), {x});
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 2);
  Tensor expected_y(runner.y_spec());
  Tensor expected_dx(x.spec());
  const Pooling p = slide_pool(c.windows, c.x, abs ? PoolKind::max_abs : PoolKind::max);
  reference::max_pool2d(p, c.x[0], static_cast<T*>(x.data()), static_cast<T*>(expected_y.data()),
                        static_cast<T*>(dy.data()), static_cast<T*>(expected_dx.data()));
  testing::expect_near(y, expected_y, 0, "y");  // the same, but for the sign of 0
  testing::expect_near(runner.backward(dy)[0], expected_dx, 1e-6, "dx");
}

TEST_P(MaxPool, EqualsReferenceWithTies) {
  for (const bool abs : {false, true}) {
    expect_equals_reference<float>(GetParam(), abs);
    expect_equals_reference<double>(GetParam(), abs);
  }
}

TEST_P(MaxPool, GradientMatchesFiniteDifferences) {
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  for (const bool abs : {false, true})
    testing::expect_gradients_match_finite_differences(make_pool(GetParam(), abs), {x}, {}, 1e-6, 20);
}

TEST_P(MaxPool, BytesAreTheSameAtAnyThreadCount) {
  for (const bool abs : {false, true})
    testing::expect_same_bytes_at_any_thread_count(make_pool(GetParam(), abs), {random_tensor({GetParam().x}, 1)});
}

TEST_P(MaxPool, IndicesSayWhereTheGradientGoes) {
  for (const bool abs : {false, true}) {
    const OpPtr op = std::make_shared<MaxPool2d>(GetParam().windows, abs, Activation{}, true);
    const Tensor x = with_ties<float>(GetParam().x);
    OpRunner runner(op, {x});
    testing::expect_same_bytes(runner.forward(), OpRunner(make_pool(GetParam(), abs), {x}).forward(), "y");
    const Tensor& indices = runner.outputs()[1];
    const Shape &in = x.spec().shape, &out = indices.spec().shape;
    const Tensor dy = random_tensor(runner.y_spec(), 2);
    Tensor expected(x.spec());
    for (std::int64_t i = 0; i < out.numel(); ++i) {
      const std::int64_t image = i / (out[1] * out[2] * out[3]), channel = i % out[1];
      const std::int64_t at = image * in[2] * in[3] + indices.view().as<std::int64_t>()[i];
      expected.view().as<float>()[at * in[1] + channel] += dy.view().as<float>()[i];
    }
    testing::expect_near(runner.backward({dy, Tensor()})[0], expected, 1e-6, "dx");
  }
}

TEST_P(MaxPool, TakesInAnActivation) {
  testing::expect_takes_in_activations(make_pool(GetParam(), false), GetParam().x);
}

TEST(MaxPool2d, TakesInOneActivationWhoseGradientComesFromItsOutput) {
  const std::int64_t three = 3;
  testing::expect_takes_in_one_activation(make_op("max_pool2d", {{"kernel", three}}), "MaxPool2d");
  testing::expect_takes_in_one_activation(make_op("max_pool2d", {{"kernel", three}, {"abs", true}}), "MaxAbsPool2d");
  testing::expect_throws<ValueError>(
      [&] { make_op("max_pool2d", {{"kernel", three}, {"activation", std::string("square")}}); },
      "pooling can't end in square");
}

// Inference saves no taps, and takes several vectors of channels at once.
TEST(MaxPool2d, GivesTheSameBytesWhetherTapsAreSavedOrNot) {
  const PoolSpec windows{.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}};
  for (const std::int64_t channels : {1, 16, 121}) {
    Tensor x = with_ties<float>({2, channels, 9, 12});
    static_cast<float*>(x.data())[channels * 20] = std::numeric_limits<float>::quiet_NaN();
    for (const bool abs : {false, true}) {
      const OpPtr op = std::make_shared<MaxPool2d>(windows, abs);
      OpRunner runner(op, {x});
      testing::expect_same_bytes(runner.inference(), runner.forward(), "y");
    }
  }
}

TEST(MaxPool2d, NaNWinsAndTakesTheGradient) {
  Tensor x({{1, 1, 2, 3}});
  auto* values = static_cast<float*>(x.data());
  std::fill_n(values, 6, 1.f);
  values[1] = std::numeric_limits<float>::quiet_NaN();
  values[2] = 5.f;
  OpRunner runner(std::make_shared<MaxPool2d>(PoolSpec{.kernel = {2, 3}, .stride = {2, 3}}), {x});
  EXPECT_TRUE(std::isnan(element(runner.forward(), 0)));
  Tensor dy({{1, 1, 1, 1}});
  *static_cast<float*>(dy.data()) = 2.f;
  const Tensor dx = runner.backward(dy)[0];
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(element(dx, i), i == 1 ? 2 : 0) << i;
}

TEST(MaxPool2d, MinusInfinityEverywhereStays) {
  Tensor x({{1, 2, 2, 2}});
  std::fill_n(static_cast<float*>(x.data()), 8, -std::numeric_limits<float>::infinity());
  OpRunner runner(std::make_shared<MaxPool2d>(PoolSpec{.kernel = {2, 2}, .stride = {2, 2}, .pad = {1, 1}}),
                  {x});
  EXPECT_EQ(element(runner.forward(), 0), -std::numeric_limits<double>::infinity());
}

TEST(MaxPool2d, StrideIsTheKernelUnlessGiven) {
  const std::vector<Spec> x{{{2, 3, 13, 13}}};
  const OpPtr op = make_op("max_pool2d", {{"kernel", std::int64_t{3}}});
  EXPECT_EQ(op->infer(x)[0].shape, (Shape{2, 3, 4, 4}));
  EXPECT_EQ(op->describe(x), "MaxPool2d 3x3");
  const OpPtr ceil = make_op("max_pool2d", {{"kernel", std::int64_t{3}},
                                            {"stride", std::int64_t{2}},
                                            {"pad", std::int64_t{1}},
                                            {"ceil_mode", true}});
  EXPECT_EQ(ceil->infer(x)[0].shape, (Shape{2, 3, 7, 7}));
  EXPECT_EQ(ceil->describe(x), "MaxPool2d 3x3, stride=2, pad=1, ceil_mode");
}

TEST(MaxPool2d, WindowsBeginAtStartAndAreAsManyAsWanted) {
  const std::vector<Spec> x{{{2, 3, 13, 13}}};
  const std::int64_t two = 2, three = 3;
  const auto pair = [](std::int64_t h, std::int64_t w) { return std::vector<std::int64_t>{h, w}; };
  const OpPtr op =
      make_op("max_pool2d", {{"kernel", three}, {"stride", two}, {"start", pair(-2, 1)}, {"ceil_mode", true}});
  EXPECT_EQ(op->infer(x)[0].shape, (Shape{2, 3, 7, 6}));
  EXPECT_EQ(op->describe(x), "MaxPool2d 3x3, stride=2, start=-2x1, ceil_mode");
  const OpPtr wanted = make_op("max_pool2d", {{"kernel", three}, {"stride", two}, {"output", pair(7, 2)}});
  EXPECT_EQ(wanted->infer(x)[0].shape, (Shape{2, 3, 7, 2}));
  EXPECT_EQ(wanted->describe(x), "MaxPool2d 3x3, stride=2, output=7x2");
  const OpPtr adaptive = make_op("max_pool2d", {{"output", pair(7, 6)}});
  EXPECT_EQ(adaptive->describe(x), "AdaptiveMaxPool2d 7x6");
}

TEST(MaxPool2d, TheLargestMagnitudeKeepsItsSign) {
  Tensor x({{1, 1, 1, 6}});
  std::copy_n(std::array{1.f, -3.f, 2.f, 0.f, -0.5f, 0.5f}.data(), 6, static_cast<float*>(x.data()));
  OpRunner runner(std::make_shared<MaxPool2d>(PoolSpec{.kernel = {1, 3}, .stride = {1, 3}}, true), {x});
  EXPECT_EQ(element(runner.forward(), 0), -3);
  EXPECT_EQ(element(runner.forward(), 1), -0.5);
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
  const auto with = [&](std::string_view name, std::int64_t value, std::string_view other, std::int64_t more) {
    return make_op("max_pool2d", {{"kernel", six}, {std::string(name), value}, {std::string(other), more}});
  };
  testing::expect_throws<ValueError>([&] { with("start", -6, "pad", 0); }, "leaves the first window, of kernel 6");
  testing::expect_throws<ValueError>([&] { with("start", -1, "pad", 1); }, "are both given");
  testing::expect_throws<ShapeError>([&] { with("start", 1, "stride", 1)->infer(x); },
                                     "kernel of 6 is larger than the input of 5 from 1 on along the height");
  testing::expect_throws<ShapeError>([&] { with("start", 5, "stride", 1)->infer(x); },
                                     "start of 5 is beyond the input of 5 along the height");
  testing::expect_throws<ShapeError>([&] { with("output", 3, "stride", 3)->infer(x); },
                                     "the last of 3 windows begins at 6, beyond the input of 5 along the height");
  testing::expect_throws<ShapeError>([&] { with("pad", 0, "stride", 1)->infer(std::vector<Spec>{{{1, 2, 0, 4}}}); },
                                     "no pixels");
}

}  // namespace
}  // namespace fastcnn
