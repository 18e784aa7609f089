#include "ops/activation.h"

#include <gtest/gtest.h>

#include <limits>

#include "cpu/kernels.h"
#include "cpu/reference/activation.h"
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
                                {Kind::relu6}};

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
void expect_accurate(Kind kind, long double (*exact)(long double), double tolerance) {
  const std::vector<T> x = arguments<T>();
  std::vector<T> y(x.size());
  kernels<T>().activation({kind}, x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(y[i], exact(x[i])), tolerance) << "x=" << x[i] << " y=" << y[i];
}

long double exact_sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }
long double exact_tanh(long double x) { return std::tanh(x); }

TEST(Activation, sigmoid_is_accurate_to_three_units_in_the_last_place) {
  expect_accurate<float>(Kind::sigmoid, exact_sigmoid, 3);
  expect_accurate<double>(Kind::sigmoid, exact_sigmoid, 3);
}

TEST(Activation, tanh_is_accurate_to_three_units_in_the_last_place) {
  expect_accurate<float>(Kind::tanh, exact_tanh, 3);
  expect_accurate<double>(Kind::tanh, exact_tanh, 3);
}

TEST(Activation, tanh_of_minus_zero_keeps_its_sign) {
  const float x = -0.0f;
  float y = 1;
  kernels<float>().activation({Kind::tanh}, &x, &y, 1);
  EXPECT_TRUE(std::signbit(y));
}

TEST(Activation, relu_and_relu6_let_nan_through) {
  const float x = std::numeric_limits<float>::quiet_NaN();
  for (const Kind kind : {Kind::relu, Kind::relu6}) {
    float y = 0;
    kernels<float>().activation({kind}, &x, &y, 1);
    EXPECT_TRUE(std::isnan(y));
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
      const Tensor x = random_tensor({{n}, dtype_of<T>}, 1, -4, 8);
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
                                              {random_tensor({{2, 3, 5, 7}, DType::float64}, 5, -3, 9)});
}

TEST(Activation, works_in_place) {
  for (const Activation& f : functions) {
    const Tensor x = random_tensor({{1001}}, 3);
    Tensor y(x.spec());
    kernels<float>().activation(f, static_cast<float*>(x.data()), static_cast<float*>(y.data()), 1001);
    kernels<float>().activation(f, static_cast<float*>(x.data()), static_cast<float*>(x.data()), 1001);
    expect_same_bytes(x, y, describe(f));
  }
}

TEST(Activation, has_the_same_bytes_at_any_thread_count) {
  for (const Activation& f : functions)
    expect_same_bytes_at_any_thread_count(std::make_shared<ActivationOp>(f), {random_tensor({{3, 70001}}, 4)});
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
  EXPECT_EQ(make_op("activation", {{"function", "relu"}})->describe({}), "relu");
}

TEST(Activation, refuses_unknown_names_and_coefficients) {
  const auto make = [](std::map<std::string, Attribute, std::less<>> attributes) {
    return message_of([&] { make_op("activation", attributes); });
  };
  EXPECT_EQ(make({{"function", "swish"}}),
            "unknown activation \"swish\", expected identity, relu, relu6, sigmoid, tanh, square or linear");
  EXPECT_EQ(make({{"function", "relu"}, {"a", 2.0}}), "relu has no coefficients, got a=2, b=1");
  EXPECT_EQ(make({{"function", "tanh"}, {"a", std::numeric_limits<double>::infinity()}}),
            "coefficients must be finite, got a=inf, b=1");
  EXPECT_EQ(message_of([] { ActivationOp({}).infer(std::vector<Spec>{{{3}, DType::int64}}); }),
            "input has type int64, expected float32 or float64");
}

}  // namespace
}  // namespace fastcnn::testing
