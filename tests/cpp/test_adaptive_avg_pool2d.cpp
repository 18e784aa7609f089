#include "ops/adaptive_avg_pool2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "op_testing.h"
#include "ops/avg_pool2d.h"
#include "ops/registry.h"

namespace fastcnn {
namespace {

using testing::OpRunner;
using testing::random_tensor;

struct AdaptiveCase {
  const char* name;
  Shape x;
  Pair output;
  friend void PrintTo(const AdaptiveCase& c, std::ostream* out) { *out << c.name; }
};

const std::vector<AdaptiveCase> cases = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1}},
    {"global", {3, 33, 7, 5}, {1, 1}},
    {"divides", {2, 16, 12, 10}, {4, 5}},
    {"overlaps", {2, 70, 13, 11}, {7, 4}},
    {"overlaps_one_way", {2, 5, 8, 9}, {4, 7}},
    {"more_windows_than_pixels", {2, 19, 3, 4}, {7, 9}},
    {"vgg_of_other_images", {2, 64, 9, 10}, {7, 7}},
    {"many_bands", {2, 96, 61, 47}, {6, 5}},
    {"empty_batch", {0, 3, 8, 8}, {3, 3}},
};

OpPtr make_pool(const AdaptiveCase& c) { return std::make_shared<AdaptiveAvgPool2d>(c.output); }

class AdaptiveAvgPool : public ::testing::TestWithParam<AdaptiveCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, AdaptiveAvgPool, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

// By the definition, in storage order.
template <class T>
Tensor averages(const Tensor& x, const Spec& y_spec) {
  const Shape& in = x.spec().shape;
  const Shape& out = y_spec.shape;
  Tensor y(y_spec);
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const std::int64_t c = i % out[1], ow = i / out[1] % out[3], oh = i / out[1] / out[3] % out[2];
    const std::int64_t image = i / out[1] / out[3] / out[2];
    T sum = 0;
    std::int64_t count = 0;
    for (std::int64_t h = oh * in[2] / out[2]; h < ((oh + 1) * in[2] + out[2] - 1) / out[2]; ++h)
      for (std::int64_t w = ow * in[3] / out[3]; w < ((ow + 1) * in[3] + out[3] - 1) / out[3]; ++w, ++count)
        sum += static_cast<T*>(x.data())[((image * in[2] + h) * in[3] + w) * in[1] + c];
    static_cast<T*>(y.data())[i] = sum / static_cast<T>(count);
  }
  return y;
}

template <class T>
void expect_definition(const AdaptiveCase& c, double tolerance) {
  OpRunner runner(make_pool(c), {random_tensor({c.x, dtype_of<T>}, 1)});
  testing::expect_near(runner.forward(), averages<T>(runner.x()[0], runner.y_spec()), tolerance, "y");
}

TEST_P(AdaptiveAvgPool, EqualsItsDefinition) {
  expect_definition<float>(GetParam(), 1e-6);
  expect_definition<double>(GetParam(), 1e-14);
}

TEST_P(AdaptiveAvgPool, GradientMatchesFiniteDifferences) {
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  testing::expect_gradients_match_finite_differences(make_pool(GetParam()), {x}, {}, 1e-6, 20);
  const OpPtr with_tanh = make_pool(GetParam())->fused_with({.kind = Activation::Kind::tanh});
  testing::expect_gradients_match_finite_differences(with_tanh, {x}, {}, 1e-6, 20);
}

TEST_P(AdaptiveAvgPool, BytesAreTheSameAtAnyThreadCount) {
  testing::expect_same_bytes_at_any_thread_count(make_pool(GetParam()), {random_tensor({GetParam().x}, 1)});
}

TEST(AdaptiveAvgPool2d, EqualsAvgPool2dWhereItsWindowsAreOfOneSize) {
  const Tensor x = random_tensor({{2, 37, 12, 10}}, 1);
  OpRunner adaptive(std::make_shared<AdaptiveAvgPool2d>(Pair{4, 5}), {x});
  OpRunner sliding(std::make_shared<AvgPool2d>(WindowSpec{.kernel = {3, 2}, .stride = {3, 2}}, true), {x});
  testing::expect_same_bytes(adaptive.forward(), sliding.forward(), "y");
  const Tensor dy = random_tensor(adaptive.y_spec(), 2);
  testing::expect_same_bytes(adaptive.backward(dy)[0], sliding.backward(dy)[0], "dx");
}

TEST(AdaptiveAvgPool2d, DescribesItselfAndSaysWhatMakesNoSense) {
  const OpPtr op = make_op("adaptive_avg_pool2d", {{"output", std::vector<std::int64_t>{7, 6}}});
  EXPECT_EQ(op->describe({}), "AdaptiveAvgPool2d 7x6");
  testing::expect_throws<ValueError>([] { make_op("adaptive_avg_pool2d", {}); }, "output is missing");
  testing::expect_throws<ShapeError>([&] { op->infer(std::vector<Spec>{{{1, 2, 0, 4}}}); }, "no pixels");
}

}  // namespace
}  // namespace fastcnn
