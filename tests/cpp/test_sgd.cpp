#include "optim/sgd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "optimizer_testing.h"

namespace fastcnn::testing {
namespace {

constexpr int steps = 4;

Sgd sgd_of(const std::vector<ParameterPtr>& parameters, const SgdSettings& settings) {
  return optimizer_of<Sgd>(parameters, settings);
}

// The formula of PyTorch's documentation, one element at a time; there the first velocity is the gradient. And that
// of Krizhevsky et al. 2012, where it is lr times the gradient.
template <class T>
std::vector<T> by_formula(std::vector<T> w, const std::vector<T>& dw, const SgdSettings& s) {
  for (std::size_t i = 0; i < w.size(); ++i) {
    double v = 0;
    double weight = w[i];
    for (int step = 0; step < steps; ++step) {
      double g = dw[i] + s.weight_decay * weight;
      if (s.lr_in_velocity) g *= s.lr;
      if (s.momentum != 0) {
        v = step == 0 ? g : s.momentum * v + g;
        g = s.nesterov ? g + s.momentum * v : v;
      }
      weight -= s.lr_in_velocity ? g : s.lr * g;
    }
    w[i] = static_cast<T>(weight);
  }
  return w;
}

template <class T>
void expect_formula(const SgdSettings& settings, double tolerance) {
  for (const std::int64_t n : {1, 3, 17, 1000, 40'001}) {
    const ParameterPtr p = parameter_with_gradient({Shape{n}, dtype_of<T>}, 1);
    Sgd sgd = sgd_of({p}, settings);
    const std::vector<T> expected = by_formula(elements<T>(p->value), elements<T>(p->grad), settings);
    for (int step = 0; step < steps; ++step) sgd.step();
    const std::vector<T> w = elements<T>(p->value);
    for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(w[i], expected[i], tolerance) << n << ", " << i;
    EXPECT_EQ(static_cast<bool>(sgd.slots()[0].state[0]), settings.momentum != 0);
  }
}

using Case = std::pair<const char*, SgdSettings>;
class SgdStep : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    , SgdStep,
    ::testing::Values(Case{"plain", SgdSettings{.lr = 0.1}},
                    Case{"weight_decay", SgdSettings{.lr = 0.1, .weight_decay = 0.01}},
                    Case{"momentum", SgdSettings{.lr = 0.1, .momentum = 0.9}},
                    Case{"momentum_and_weight_decay",
                         SgdSettings{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}},
                    Case{"nesterov", SgdSettings{.lr = 0.1, .momentum = 0.9, .nesterov = true}},
                    Case{"nesterov_and_weight_decay",
                         SgdSettings{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}},
                    Case{"lr_in_velocity", SgdSettings{.lr = 0.1, .weight_decay = 0.01, .lr_in_velocity = true}},
                    Case{"lr_in_velocity_and_momentum",
                         SgdSettings{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .lr_in_velocity = true}},
                    Case{"lr_in_velocity_and_nesterov",
                         SgdSettings{.lr = 0.1, .momentum = 0.9, .nesterov = true, .lr_in_velocity = true}}),
    [](const auto& info) { return info.param.first; });

TEST_P(SgdStep, follows_the_formula_in_float32) { expect_formula<float>(GetParam().second, 1e-5); }
TEST_P(SgdStep, follows_the_formula_in_float64) { expect_formula<double>(GetParam().second, 1e-13); }

TEST(Sgd, each_parameter_follows_its_group) {
  const Spec spec{Shape{100}, DType::float32};
  const ParameterPtr resting = parameter_with_gradient(spec, 1), moving = parameter_with_gradient(spec, 1);
  const std::vector<float> before = elements<float>(moving->value);
  Sgd sgd({{resting}, {moving}}, cpu_backend());
  sgd.configure(0, {.lr = 0.0});
  sgd.configure(1, {.lr = 0.5});
  sgd.step();
  const std::vector<float> dw = elements<float>(moving->grad), after = elements<float>(moving->value);
  for (std::size_t i = 0; i < 100; ++i) ASSERT_FLOAT_EQ(after[i], before[i] - 0.5F * dw[i]);
  EXPECT_EQ(elements<float>(resting->value), before);
}

TEST(Sgd, steps_inside_the_velocity_keep_their_size_when_the_rate_falls) {
  const auto moved = [](bool lr_in_velocity) {
    const ParameterPtr p = parameter_with_gradient({Shape{1}, DType::float64}, 1);
    Sgd sgd = sgd_of({p}, {});
    *static_cast<double*>(p->grad.data()) = 1.0;
    const double before = *static_cast<double*>(p->value.data());
    for (const double lr : {1.0, 0.0}) {
      sgd.configure(0, {.lr = lr, .momentum = 0.5, .lr_in_velocity = lr_in_velocity});
      sgd.step();
    }
    return before - *static_cast<double*>(p->value.data());
  };
  EXPECT_NEAR(moved(false), 1.0, 1e-15);
  EXPECT_NEAR(moved(true), 1.5, 1e-15);
}

TEST(Sgd, filters_get_their_norm_after_each_update) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Sgd sgd = sgd_of({parameter_with_gradient({Shape{4, 3, 5, 5}, dtype}, 1),
                      parameter_with_gradient({Shape{2, 7}, dtype}, 2)},
                     {.lr = 0.1, .filter_norm = 2.5});
    sgd.step();
    dispatch_floating(dtype, [&]<class T>() {
      for (const ParameterPtr& p : parameters_of(sgd)) {
        const std::vector<T> w = elements<T>(p->value);
        const std::size_t rows = static_cast<std::size_t>(p->value.spec().shape[0]);
        const std::size_t cols = w.size() / rows;
        for (std::size_t i = 0; i < rows; ++i) {
          double squares = 0;
          for (std::size_t j = 0; j < cols; ++j) squares += static_cast<double>(w[i * cols + j] * w[i * cols + j]);
          EXPECT_NEAR(std::sqrt(squares), 2.5, 1e-5);
        }
      }
    });
  }
}

TEST(Sgd, filters_of_zeros_and_those_of_rate_zero_stay) {
  const Spec spec{Shape{2, 3}, DType::float32};
  const ParameterPtr zeros = parameter_with_gradient(spec, 1), resting = parameter_with_gradient(spec, 2);
  std::fill_n(static_cast<float*>(zeros->value.data()), 6, 0.0F);
  std::fill_n(static_cast<float*>(zeros->grad.data()), 6, 0.0F);
  const std::vector<float> before = elements<float>(resting->value);
  Sgd sgd({{zeros}, {resting}}, cpu_backend());
  sgd.configure(0, {.lr = 0.1, .filter_norm = 1.0});
  sgd.configure(1, {.lr = 0.0, .filter_norm = 1.0});
  sgd.step();
  EXPECT_EQ(elements<float>(zeros->value), std::vector<float>(6, 0.0F));
  EXPECT_EQ(elements<float>(resting->value), before);
}

TEST(Sgd, refuses_a_filter_norm_of_biases_and_of_weights_by_position) {
  for (const Shape& shape : {Shape{10}, Shape{2, 2, 3, 3, 4, 5}}) {
    Sgd sgd = sgd_of({parameter_with_gradient({shape, DType::float32}, 1)}, {.filter_norm = 1.0});
    EXPECT_THROW(sgd.step(), ShapeError);
  }
}

TEST(Sgd, velocity_rests_while_momentum_is_zero) {
  Sgd sgd = sgd_of({parameter_with_gradient({Shape{10}, DType::float32}, 1)}, {.lr = 0.1, .momentum = 0.9});
  sgd.step();
  const std::vector<float> velocity = elements<float>(sgd.slots()[0].state[0]);
  sgd.configure(0, {.lr = 0.1});
  sgd.step();
  EXPECT_EQ(elements<float>(sgd.slots()[0].state[0]), velocity);
}

TEST(Sgd, bytes_are_equal_at_any_number_of_threads) {
  expect_bytes_equal_at_any_number_of_threads<Sgd>(
      SgdSettings{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
}

}  // namespace
}  // namespace fastcnn::testing
