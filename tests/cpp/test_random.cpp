#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "core/thread_pool.h"

namespace fastcnn {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers published with the paper's own implementation.
TEST(Philox, gives_the_published_answers) {
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ULL, ~0ULL, ~0ULL), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

template <class T>
std::vector<T> normal(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double mean = 0,
                      double std = 1) {
  std::vector<T> y(static_cast<std::size_t>(n));
  fill_normal({y.data(), {Shape{n}, dtype_of<T>}}, seed, stream, mean, std);
  return y;
}

template <class T>
std::vector<T> uniform(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double low, double high) {
  std::vector<T> y(static_cast<std::size_t>(n));
  fill_uniform({y.data(), {Shape{n}, dtype_of<T>}}, seed, stream, low, high);
  return y;
}

struct Moments {
  double mean = 0;
  double std = 0;
  double kurtosis = 0;
};

Moments moments(const std::vector<double>& x) {
  const auto n = static_cast<double>(x.size());
  Moments m;
  for (const double value : x) m.mean += value / n;
  double second = 0;
  double fourth = 0;
  for (const double value : x) {
    const double square = (value - m.mean) * (value - m.mean);
    second += square / n;
    fourth += square * square / n;
  }
  m.std = std::sqrt(second);
  m.kurtosis = fourth / (second * second);
  return m;
}

TEST(FillNormal, agrees_with_box_muller_of_the_standard_library) {
  const std::vector<double> y = normal<double>(20'000, 5, 2);
  for (std::size_t i = 0; i < y.size(); i += 2) {
    const Words words = philox(5, 2, i / 4);
    const double u = (words[i % 4] + 0.5) / 4294967296.0;
    const double angle = 2 * std::numbers::pi * words[i % 4 + 1] / 4294967296.0;
    const double radius = std::sqrt(-2 * std::log(u));
    ASSERT_NEAR(y[i], radius * std::cos(angle), 1e-14) << i;
    ASSERT_NEAR(y[i + 1], radius * std::sin(angle), 1e-14) << i;
  }
}

TEST(FillNormal, has_the_moments_asked_for) {
  const Moments m = moments(normal<double>(1'000'000, 42, 0, 3.0, 0.5));
  EXPECT_NEAR(m.mean, 3.0, 0.0025);  // five standard errors
  EXPECT_NEAR(m.std, 0.5, 0.002);
  EXPECT_NEAR(m.kurtosis, 3.0, 0.025);
}

TEST(FillUniform, has_the_moments_of_its_interval) {
  const Moments m = moments(uniform<double>(1'000'000, 42, 0, -1.0, 3.0));
  EXPECT_NEAR(m.mean, 1.0, 0.006);
  EXPECT_NEAR(m.std, 4 / std::sqrt(12.0), 0.003);
  EXPECT_NEAR(m.kurtosis, 1.8, 0.01);
}

TEST(FillUniform, stays_below_the_upper_end) {
  for (const float x : uniform<float>(300'000, 1, 1, 1.0, 1.0 + 4e-7)) {
    ASSERT_GE(x, 1.0F);
    ASSERT_LT(x, 1.0F + 4e-7F);
  }
  EXPECT_EQ(uniform<float>(1, 1, 1, 2.0, 2.0)[0], 2.0F);
}

TEST(Fill, float32_is_float64_rounded) {
  const std::vector<float> single = normal<float>(5000, 9, 1);
  const std::vector<double> twice = normal<double>(5000, 9, 1);
  for (std::size_t i = 0; i < single.size(); ++i) ASSERT_EQ(single[i], static_cast<float>(twice[i]));
}

TEST(Fill, a_shorter_view_gets_the_same_first_numbers) {
  const std::vector<float> all = normal<float>(10'000, 9, 1);
  for (const std::int64_t n : {0, 1, 3, 1023, 1025, 9999}) {
    const std::vector<float> part = normal<float>(n, 9, 1);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin())) << n;
  }
}

TEST(Fill, seeds_and_streams_differ) {
  const std::vector<float> y = normal<float>(100, 1, 1);
  EXPECT_NE(y, normal<float>(100, 2, 1));
  EXPECT_NE(y, normal<float>(100, 1, 2));
}

TEST(Fill, bytes_are_equal_at_any_number_of_threads) {
  set_num_threads(1);
  const std::vector<float> one = normal<float>(1'000'003, 7, 3);
  const std::vector<double> one_uniform = uniform<double>(200'001, 7, 3, -1, 1);
  for (const int threads : {2, 3, 8}) {
    set_num_threads(threads);
    const std::vector<float> y = normal<float>(1'000'003, 7, 3);
    EXPECT_EQ(std::memcmp(y.data(), one.data(), y.size() * sizeof(float)), 0) << threads;
    EXPECT_EQ(uniform<double>(200'001, 7, 3, -1, 1), one_uniform) << threads;
  }
}

TEST(Fill, refuses_integers) {
  std::int64_t y = 0;
  EXPECT_THROW(fill_normal({&y, {Shape{1}, DType::int64}}, 1, 1, 0, 1), DTypeError);
}

}  // namespace
}  // namespace fastcnn
