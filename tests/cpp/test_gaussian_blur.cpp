#include "ops/gaussian_blur.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

struct BlurCase {
  const char* name;
  Shape x;
  std::int64_t size;
  double sigma;
  friend void PrintTo(const BlurCase& c, std::ostream* out) { *out << c.name; }
};

const std::vector<BlurCase> cases = {
    {"one_pixel", {1, 1, 1, 1}, 1, 1.0},        {"smaller_than_the_filter", {2, 3, 2, 3}, 7, 1.5},
    {"picture", {2, 3, 13, 17}, 5, 1.0},        {"wide", {1, 21, 9, 8}, 9, 2.5},
    {"many_tasks", {3, 16, 40, 31}, 3, 0.7},    {"empty_batch", {0, 3, 5, 5}, 3, 1.0},
};

class Blur : public ::testing::TestWithParam<BlurCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, Blur, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

OpPtr make_blur(const BlurCase& c) { return std::make_shared<GaussianBlur>(c.size, c.sigma); }

// By the two-dimensional definition, in storage order.
Tensor blurred(const BlurCase& c, const Tensor& x) {
  const auto weight = [&](std::int64_t i) { return std::exp(-static_cast<double>(i * i) / (2 * c.sigma * c.sigma)); };
  double sum = 0;
  for (std::int64_t i = -(c.size / 2); i <= c.size / 2; ++i) sum += weight(i);
  Tensor y({c.x, DType::float64});
  for (std::int64_t at = 0; at < c.x.numel(); ++at) {
    const std::int64_t channel = at % c.x[1], pixel = at / c.x[1];
    const std::int64_t w = pixel % c.x[3], h = pixel / c.x[3] % c.x[2], image = pixel / c.x[3] / c.x[2];
    double value = 0;
    for (std::int64_t i = 0; i < c.x[2]; ++i)
      for (std::int64_t j = 0; j < c.x[3]; ++j)
        if (std::abs(i - h) <= c.size / 2 && std::abs(j - w) <= c.size / 2)
          value += weight(i - h) * weight(j - w) / (sum * sum) *
                   element(x, ((image * c.x[2] + i) * c.x[3] + j) * c.x[1] + channel);
    static_cast<double*>(y.data())[at] = value;
  }
  return y;
}

TEST_P(Blur, EqualsItsDefinition) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = random_tensor({GetParam().x, dtype}, 1);
    OpRunner runner(make_blur(GetParam()), {x});
    expect_near(runner.forward(), blurred(GetParam(), x), dtype == DType::float32 ? 1e-6 : 1e-14, "y");
  }
}

TEST_P(Blur, GradientMatchesFiniteDifferences) {
  expect_gradients_match_finite_differences(make_blur(GetParam()), {random_tensor({GetParam().x, DType::float64}, 1)},
                                            {}, 1e-6, 20);
}

TEST_P(Blur, BytesAreTheSameAtAnyThreadCount) {
  expect_same_bytes_at_any_thread_count(make_blur(GetParam()), {random_tensor({GetParam().x}, 1)});
}

TEST(GaussianBlur, DescribesItselfAndRefusesWhatMakesNoSense) {
  EXPECT_EQ(GaussianBlur(5, 1.5).describe({}), "GaussianBlur 5x5, sigma=1.5");
  expect_throws<ValueError>([] { GaussianBlur(4, 1); }, "size is 4, expected an odd number");
  expect_throws<ValueError>([] { GaussianBlur(3, 0); }, "expected a positive number");
  expect_throws<ShapeError>([] { GaussianBlur(3, 1).infer(std::vector<Spec>{{{2, 3}}}); }, "rank 2, expected 4");
}

}  // namespace
}  // namespace fastcnn::testing
