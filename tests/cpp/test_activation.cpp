#include "ops/activation.h"

#include <gtest/gtest.h>

#include <limits>

#include "backend/cpu/kernels.h"
#include "reference/activation.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

using Kind = Activation::Kind;

const Activation functions[] = {{Kind::identity},           {Kind::relu},
                                {Kind::sigmoid},            {Kind::tanh},
                                {Kind::tanh, 1.7159, 2. / 3}, {Kind::tanh, 0.0, 2.0},
                                {Kind::square},             {Kind::linear, -0.5, 3.0},
                                {Kind::relu6},              {Kind::leaky_relu, 0.2},
                                {Kind::leaky_relu, -1.5},   {Kind::leaky_relu, 0.0},
                                {Kind::bounded_relu, 2.5},  {Kind::double_relu, 0.7},
                                {Kind::double_relu, -2.0},  {Kind::softplus},
                                {Kind::softplus, 2.5},      {Kind::elu},
                                {Kind::elu, 0.3},           {Kind::gelu},
                                {Kind::gelu_tanh},          {Kind::silu},
                                {Kind::mish},
                                {Kind::hard_sigmoid},       {Kind::hard_swish},
                                {Kind::abs},                {Kind::abs_tanh, 1.7159, -0.6},
                                {Kind::sqrt},               {Kind::log},
                                {Kind::log, 0.5}};

// Where f and f' are defined and smooth but for its bends.
struct Range {
  double low, high;
};
Range range_of(const Activation& f) {
  return f.kind == Kind::sqrt || f.kind == Kind::log ? Range{0.01, 8} : Range{-4, 8};
}

// Distance of `got` from `exact` in units of the last place of T at `exact`. Below the normal numbers, the
// unit is the smallest of those: such results may be flushed to 0.
template <class T>
double ulps(T got, long double exact) {
  using Limits = std::numeric_limits<T>;
  const T nearest = static_cast<T>(exact);
  if (std::isnan(nearest)) return std::isnan(got) ? 0 : 1e9;
  if (got == nearest) return 0;
  const T magnitude = std::abs(nearest);
  const T unit = magnitude < Limits::min() ? Limits::min() : std::nextafter(magnitude, Limits::infinity()) - magnitude;
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) / unit);
}

// Both signs over all magnitudes, dense where the functions bend, and the special values.
template <class T>
std::vector<T> arguments() {
  std::vector<T> x = {0, -T{0}, std::numeric_limits<T>::max(), std::numeric_limits<T>::denorm_min(),
                      std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                      std::numeric_limits<T>::quiet_NaN()};
  for (double exponent = -40; exponent < 12; exponent += 0.001) {
    x.push_back(static_cast<T>(1.2345 * std::exp2(exponent)));
    x.push_back(-x.back());
  }
  for (double v = -120; v < 120; v += 0.003) x.push_back(static_cast<T>(v));
  return x;
}

template <class T>
void expect_accurate(const Activation& f, long double (*exact)(long double), double tolerance,
                     double lowest = -std::numeric_limits<double>::infinity()) {
  std::vector<T> x = arguments<T>();
  std::erase_if(x, [&](T v) { return v < lowest; });
  std::vector<T> y(x.size());
  kernels<T>().activation(f, x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(y[i], exact(x[i])), tolerance) << describe(f) << " x=" << x[i] << " y=" << y[i];
}

void expect_accurate(const Activation& f, long double (*exact)(long double), double tolerance,
                     double lowest = -std::numeric_limits<double>::infinity()) {
  expect_accurate<float>(f, exact, tolerance, lowest);
  expect_accurate<double>(f, exact, tolerance, lowest);
}

TEST(Activation, sigmoid_and_tanh_are_accurate_to_three_units_in_the_last_place) {
  expect_accurate({Kind::sigmoid}, [](long double x) { return 1 / (1 + std::exp(-x)); }, 3);
  expect_accurate({Kind::tanh}, [](long double x) { return std::tanh(x); }, 3);
  expect_accurate({Kind::abs_tanh}, [](long double x) { return std::abs(std::tanh(x)); }, 3);
}

// Below -87 the exponentials of float are no normal numbers.
TEST(Activation, softplus_elu_silu_mish_and_gelu_are_accurate_to_a_few_units_in_the_last_place) {
  const auto softplus = [](long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))); };
  expect_accurate({Kind::softplus}, softplus, 4);
  expect_accurate({Kind::elu}, [](long double x) { return x > 0 ? x : std::expm1(x); }, 3);
  expect_accurate({Kind::silu}, [](long double x) { return x / (1 + std::exp(-x)); }, 4, -87);
  expect_accurate({Kind::mish}, [](long double x) { return x * std::tanh(std::log1p(std::exp(x))); }, 5, -87);
  expect_accurate({Kind::gelu}, [](long double x) { return x * std::erfc(-x / std::sqrt(2.0L)) / 2; }, 6, -12);
}

TEST(Activation, log_and_sqrt_are_accurate_to_two_units_in_the_last_place) {
  expect_accurate({Kind::log, 0.0}, [](long double x) { return std::log(x); }, 2, 1e-30);
  expect_accurate({Kind::sqrt}, [](long double x) { return std::sqrt(x); }, 1, 0);
}

TEST(Activation, tanh_of_minus_zero_keeps_its_sign) {
  const float x = -0.0f;
  float y = 1;
  kernels<float>().activation({Kind::tanh}, &x, &y, 1);
  EXPECT_TRUE(std::signbit(y));
}

TEST(Activation, lets_nan_through) {
  const float x = std::numeric_limits<float>::quiet_NaN();
  for (const Activation& f : functions) {
    float y = 0;
    kernels<float>().activation(f, &x, &y, 1);
    EXPECT_TRUE(std::isnan(y)) << describe(f);
  }
}

TEST(Activation, functions_with_bounds_hold_at_the_ends_of_the_range) {
  const float x[] = {-1e30f, -100, 100, 1e30f}, ones[] = {1, 1, 1, 1};
  const float step[] = {0, 0, 1, 1};
  for (const Kind kind : {Kind::relu, Kind::softplus, Kind::elu, Kind::gelu, Kind::silu, Kind::mish, Kind::hard_swish}) {
    float y[4], dx[4];
    kernels<float>().activation({kind}, x, y, 4);
    kernels<float>().activation_gradient({kind}, x, y, ones, dx, 4);
    const float floor = kind == Kind::elu ? -1 : 0;
    for (int i = 0; i < 4; ++i) {
      EXPECT_NEAR(y[i], i < 2 ? floor : x[i], 1e-37f) << describe({kind}) << " of " << x[i];
      EXPECT_NEAR(dx[i], step[i], 1e-37f) << describe({kind}) << " at " << x[i];
    }
  }
}

TEST(Activation, relu6_has_no_slope_at_its_ends) {
  const float x[] = {-1, 0, 3, 6, 7}, dy[] = {1, 1, 1, 1, 1};
  float y[5], dx[5];
  kernels<float>().activation({Kind::relu6}, x, y, 5);
  kernels<float>().activation_gradient({Kind::relu6}, nullptr, y, dy, dx, 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(dx[i], i == 2 ? 1 : 0) << i;
}

template <class T>
void expect_definition(double tolerance) {
  for (const Activation& f : functions)
    for (const std::int64_t n : {0, 1, 3, 8, 17, 63, 1000}) {
      const Tensor x = random_tensor({{n}, dtype_of<T>}, 1, range_of(f).low, range_of(f).high);
      const Tensor dy = random_tensor({{n}, dtype_of<T>}, 2);
      Tensor y(x.spec()), dx(x.spec());
      for (std::int64_t i = 0; i < n; ++i) {
        const T value = static_cast<T*>(x.data())[i];
        static_cast<T*>(y.data())[i] = reference::activation(f, value);
        static_cast<T*>(dx.data())[i] = reference::activation_derivative(f, value) * static_cast<T*>(dy.data())[i];
      }
      OpRunner runner(std::make_shared<ActivationOp>(f), {x});
      expect_near(runner.forward(), y, tolerance, describe(f));
      expect_near(runner.backward(dy)[0], dx, tolerance, "gradient of " + describe(f));
    }
}

TEST(Activation, matches_its_definition) {
  expect_definition<float>(1e-6);
  expect_definition<double>(1e-14);
}

TEST(Activation, gradients_match_finite_differences) {
  for (const Activation& f : functions)
    expect_gradients_match_finite_differences(std::make_shared<ActivationOp>(f),
                                              {random_tensor({{210}, DType::float64}, 5, range_of(f).low, range_of(f).high)});
}

TEST(Activation, works_in_place) {
  for (const Activation& f : functions) {
    const Tensor x = random_tensor({{1001}}, 3, range_of(f).low, range_of(f).high);
    Tensor y(x.spec());
    kernels<float>().activation(f, static_cast<float*>(x.data()), static_cast<float*>(y.data()), 1001);
    kernels<float>().activation(f, static_cast<float*>(x.data()), static_cast<float*>(x.data()), 1001);
    expect_same_bytes(x, y, describe(f));
  }
}

TEST(Activation, has_the_same_bytes_at_any_thread_count) {
  for (const Activation& f : functions)
    expect_same_bytes_at_any_thread_count(std::make_shared<ActivationOp>(f),
                                          {random_tensor({{3, 70001}}, 4, range_of(f).low, range_of(f).high)});
}

TEST(Activation, keeps_for_backward_only_what_its_gradient_needs) {
  const std::vector<Spec> x{{{4}}};
  EXPECT_EQ(ActivationOp({Kind::square}).backward_needs(x).x, 1u);
  EXPECT_TRUE(ActivationOp({Kind::relu}).backward_needs(x).y);
  const Needs none = ActivationOp({Kind::linear}).backward_needs(x);
  EXPECT_TRUE(none.x == 0 && !none.y);
}

TEST(Activation, reads_its_attributes) {
  EXPECT_EQ(make_op("activation", {{"function", "tanh"}, {"a", 1.7159}})->describe({}), "tanh(a=1.7159, b=1)");
  EXPECT_EQ(make_op("activation", {{"function", "linear"}, {"a", 2.0}})->describe({}), "linear(a=2, b=0)");
  EXPECT_EQ(make_op("activation", {{"function", "leaky_relu"}})->describe({}), "leaky_relu(a=0.01)");
  EXPECT_EQ(make_op("activation", {{"function", "relu"}})->describe({}), "relu");
}

TEST(Activation, refuses_unknown_names_and_coefficients) {
  const auto make = [](Attributes attributes) {
    return message_of([&] { make_op("activation", attributes); });
  };
  EXPECT_EQ(make({{"function", "swish"}}),
            "unknown activation \"swish\", expected identity, relu, relu6, leaky_relu, bounded_relu, double_relu, softplus, "
            "elu, gelu, gelu_tanh, silu, mish, hard_sigmoid, hard_swish, sigmoid, tanh, abs_tanh, abs, square, sqrt, log or "
            "linear");
  EXPECT_EQ(make({{"function", "relu"}, {"a", 2.0}}), "relu has no coefficients, got a=2, b=1");
  EXPECT_EQ(make({{"function", "elu"}, {"b", 2.0}}), "elu has one coefficient, a; got a=1, b=2");
  EXPECT_EQ(make({{"function", "elu"}, {"a", -1.0}}), "a of elu must be at least 0, got a=-1");
  EXPECT_EQ(make({{"function", "bounded_relu"}, {"a", 0.0}}), "a of bounded_relu must be above 0, got a=0");
  EXPECT_EQ(make({{"function", "double_relu"}, {"a", 0}}), "a of double_relu must be other than 0, got a=0");
  EXPECT_EQ(make({{"function", "tanh"}, {"a", std::numeric_limits<double>::infinity()}}),
            "coefficients must be finite, got a=inf, b=1");
  EXPECT_EQ(message_of([] { ActivationOp({}).infer(std::vector<Spec>{{{3}, DType::int64}}); }),
            "input has type int64, expected float32 or float64");
}

}  // namespace
}  // namespace fastcnn::testing
