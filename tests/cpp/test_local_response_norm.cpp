#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/local_response_norm.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/local_response_norm.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

// AlexNet's own size and beta, betas with and without a short cut, even windows, more than all channels, blocks.
const Lrn cases[] = {{5, 1e-4, 0.75, 1.0}, {5, 1.0, 0.75, 2.0},  {3, 0.5, 0.5, 1.0}, {1, 2.0, 1.0, 1.5},
                     {4, 0.9, 0.75, 1.0},  {2, 0.7, 1.25, 1.0}, {11, 0.3, 0.75, 1.0}, {5, 1e-4, 0.6, 2.0},
                     {3, 90.0, 0.3, 0.1},  {5, 8.0, 2.5, 0.7},
                     {4, 0.9, 0.75, 1.0, true}, {3, 0.5, 0.6, 2.0, true}, {20, 2.0, 1.0, 1.0, true}};

OpPtr make(const Lrn& lrn) { return std::make_shared<LocalResponseNorm>(lrn); }

std::string name(const Lrn& lrn, const Shape& shape) { return make(lrn)->describe({}) + ", x=" + shape.str(); }

template <class T>
void expect_definition(double tolerance) {
  for (const Lrn& lrn : cases)
    for (const Shape& shape : {Shape{2, 96, 5, 7}, {1, 1, 2, 2}, {3, 3, 1, 4}, {1, 17, 3, 1}, {0, 8, 2, 2}}) {
      const Tensor x = random_tensor({shape, dtype_of<T>}, 1, -2, 2);
      const Tensor dy = random_tensor({shape, dtype_of<T>}, 2);
      Tensor y(x.spec()), dx(x.spec());
      const std::int64_t pixels = shape[0] * shape[2] * shape[3];
      reference::local_response_norm(lrn, static_cast<T*>(x.data()), static_cast<T*>(y.data()), pixels, shape[1]);
      reference::local_response_norm_gradient(lrn, static_cast<T*>(x.data()), static_cast<T*>(dy.data()),
                                              static_cast<T*>(dx.data()), pixels, shape[1]);
      OpRunner runner(make(lrn), {x});
      expect_near(runner.forward(), y, tolerance, name(lrn, shape));
      expect_near(runner.backward(dy)[0], dx, tolerance, "gradient, " + name(lrn, shape));
    }
}

TEST(LocalResponseNorm, matches_its_definition) {
  expect_definition<float>(1e-6);
  expect_definition<double>(1e-14);
}

TEST(LocalResponseNorm, gradients_match_finite_differences) {
  for (const Lrn& lrn : cases)
    expect_gradients_match_finite_differences(make(lrn), {random_tensor({{2, 19, 2, 3}, DType::float64}, 3, -2, 2)});
}

TEST(LocalResponseNorm, works_in_place) {
  const Lrn lrn{5, 1.0, 0.75, 2.0};
  const std::int64_t pixels = 6, channels = 37;
  const Tensor x = random_tensor({{pixels, channels}}, 1), dy = random_tensor({{pixels, channels}}, 2);
  Tensor y(x.spec()), dx(x.spec());
  std::vector<float> scratch(static_cast<std::size_t>(lrn.scratch(channels)));
  auto* px = static_cast<float*>(x.data());
  auto* pdy = static_cast<float*>(dy.data());
  kernels<float>().lrn_gradient(lrn, px, pdy, static_cast<float*>(dx.data()), pixels, channels, scratch.data());
  kernels<float>().lrn_gradient(lrn, px, pdy, pdy, pixels, channels, scratch.data());
  expect_same_bytes(dy, dx, "gradient");
  kernels<float>().lrn(lrn, px, static_cast<float*>(y.data()), pixels, channels, scratch.data());
  kernels<float>().lrn(lrn, px, px, pixels, channels, scratch.data());
  expect_same_bytes(x, y, "value");
}

// s is infinite, not a number, and 0.
TEST(LocalResponseNorm, any_power_has_the_limits_of_pow) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> x{1, 2, infinity, 3, 4, 5, std::nan(""), 6, 7, 0, 0, 0, 0};
  const auto channels = static_cast<std::int64_t>(x.size());
  std::vector<double> y(x.size()), expected(x.size());
  for (const double k : {1.0, 0.0}) {
    const Lrn lrn{3, 1.0, 0.6, k};
    std::vector<double> scratch(static_cast<std::size_t>(lrn.scratch(channels)));
    kernels<double>().lrn(lrn, x.data(), y.data(), 1, channels, scratch.data());
    reference::local_response_norm(lrn, x.data(), expected.data(), 1, channels);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), std::isnan(expected[i])) << i;
      if (std::isnan(expected[i])) continue;
      EXPECT_NEAR(y[i], expected[i], 1e-14) << i;
    }
  }
}

TEST(LocalResponseNorm, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make({}), {random_tensor({{3, 96, 27, 27}}, 4)});
}

TEST(LocalResponseNorm, reads_its_attributes_and_describes_itself) {
  EXPECT_EQ(make_op("local_response_norm", {{"k", 2.0}, {"alpha", 5e-4}})->describe({}),
            "LocalResponseNorm size=5, alpha=0.0005, beta=0.75, k=2");
  EXPECT_EQ(make_op("local_response_norm", {{"blocked", true}})->describe({}),
            "LocalResponseNorm size=5, alpha=0.0001, beta=0.75, k=1, blocked");
}

TEST(LocalResponseNorm, says_what_does_not_fit) {
  EXPECT_EQ(message_of([] { make_op("local_response_norm", {{"size", std::int64_t{0}}}); }),
            "size must be at least 1, got 0");
  EXPECT_EQ(message_of([] { make({})->infer(std::vector<Spec>{{{4, 10}}}); }),
            "input has rank 2, expected 4 (n, c, h, w); got (4, 10)");
}

}  // namespace
}  // namespace fastcnn::testing
