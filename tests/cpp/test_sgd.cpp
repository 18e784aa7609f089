#include "optim/sgd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

constexpr int steps = 4;

ParameterPtr parameter(const Spec& spec, std::uint64_t seed) {
  auto p = std::make_shared<Parameter>(spec);
  fill_normal(p->value.view(), seed, 0, 0.0, 1.0);
  p->grad = Tensor(spec);
  fill_normal(p->grad.view(), seed, 1, 0.0, 1.0);
  p->has_grad = true;
  return p;
}

template <class T>
std::vector<T> elements(const Tensor& x) {
  const T* begin = x.view().as<T>();
  return {begin, begin + x.spec().shape.numel()};
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
    std::vector<SgdSlot> slots{{parameter({Shape{n}, dtype_of<T>}, 1), {}, 0}};
    const std::vector<T> dw = elements<T>(slots[0].parameter->grad);
    const std::vector<T> expected = by_formula(elements<T>(slots[0].parameter->value), dw, settings);
    for (int step = 0; step < steps; ++step) sgd_step(slots, {&settings, 1});
    const std::vector<T> w = elements<T>(slots[0].parameter->value);
    for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(w[i], expected[i], tolerance) << n << ", " << i;
    EXPECT_EQ(static_cast<bool>(slots[0].velocity), settings.momentum != 0);
  }
}

using Case = std::pair<const char*, SgdSettings>;
class SgdStep : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    , SgdStep,
    testing::Values(Case{"plain", SgdSettings{.lr = 0.1}},
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

TEST(Sgd, each_slot_follows_its_group) {
  const Spec spec{Shape{100}, DType::float32};
  std::vector<SgdSlot> slots{{parameter(spec, 1), {}, 1}, {parameter(spec, 1), {}, 0}};
  const std::vector<float> before = elements<float>(slots[0].parameter->value);
  const SgdSettings groups[2] = {{.lr = 0.0}, {.lr = 0.5}};
  sgd_step(slots, groups);
  const std::vector<float> dw = elements<float>(slots[0].parameter->grad);
  const std::vector<float> after = elements<float>(slots[0].parameter->value);
  for (std::size_t i = 0; i < 100; ++i) ASSERT_FLOAT_EQ(after[i], before[i] - 0.5F * dw[i]);
  EXPECT_EQ(elements<float>(slots[1].parameter->value), before);
}

TEST(Sgd, steps_inside_the_velocity_keep_their_size_when_the_rate_falls) {
  const auto moved = [](bool lr_in_velocity) {
    std::vector<SgdSlot> slots{{parameter({Shape{1}, DType::float64}, 1), {}, 0}};
    *static_cast<double*>(slots[0].parameter->grad.data()) = 1.0;
    const double before = *static_cast<double*>(slots[0].parameter->value.data());
    for (const double lr : {1.0, 0.0}) {
      const SgdSettings settings{.lr = lr, .momentum = 0.5, .lr_in_velocity = lr_in_velocity};
      sgd_step(slots, {&settings, 1});
    }
    return before - *static_cast<double*>(slots[0].parameter->value.data());
  };
  EXPECT_NEAR(moved(false), 1.0, 1e-15);
  EXPECT_NEAR(moved(true), 1.5, 1e-15);
}

TEST(Sgd, filters_get_their_norm_after_each_update) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    std::vector<SgdSlot> slots{{parameter({Shape{4, 3, 5, 5}, dtype}, 1), {}, 0},
                               {parameter({Shape{2, 7}, dtype}, 2), {}, 0}};
    const SgdSettings settings{.lr = 0.1, .filter_norm = 2.5};
    sgd_step(slots, {&settings, 1});
    dispatch_floating(dtype, [&]<class T>() {
      for (const SgdSlot& slot : slots) {
        const std::vector<T> w = elements<T>(slot.parameter->value);
        const std::size_t rows = static_cast<std::size_t>(slot.parameter->value.spec().shape[0]);
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
  std::vector<SgdSlot> slots{{parameter({Shape{2, 3}, DType::float32}, 1), {}, 0},
                             {parameter({Shape{2, 3}, DType::float32}, 2), {}, 1}};
  std::fill_n(static_cast<float*>(slots[0].parameter->value.data()), 6, 0.0F);
  std::fill_n(static_cast<float*>(slots[0].parameter->grad.data()), 6, 0.0F);
  const std::vector<float> before = elements<float>(slots[1].parameter->value);
  const SgdSettings groups[2] = {{.lr = 0.1, .filter_norm = 1.0}, {.lr = 0.0, .filter_norm = 1.0}};
  sgd_step(slots, groups);
  EXPECT_EQ(elements<float>(slots[0].parameter->value), std::vector<float>(6, 0.0F));
  EXPECT_EQ(elements<float>(slots[1].parameter->value), before);
}

TEST(Sgd, refuses_a_filter_norm_of_biases_and_of_weights_by_position) {
  for (const Shape& shape : {Shape{10}, Shape{2, 2, 3, 3, 4, 5}}) {
    std::vector<SgdSlot> slots{{parameter({shape, DType::float32}, 1), {}, 0}};
    const SgdSettings settings{.filter_norm = 1.0};
    EXPECT_THROW(sgd_step(slots, {&settings, 1}), ShapeError);
  }
}

TEST(Sgd, parameters_without_gradient_stay) {
  std::vector<SgdSlot> slots{{parameter({Shape{10}, DType::float32}, 1), {}, 0}};
  slots[0].parameter->has_grad = false;
  const std::vector<float> before = elements<float>(slots[0].parameter->value);
  const SgdSettings settings{.lr = 0.1, .momentum = 0.9};
  sgd_step(slots, {&settings, 1});
  EXPECT_EQ(elements<float>(slots[0].parameter->value), before);
  EXPECT_FALSE(slots[0].velocity);
}

TEST(Sgd, velocity_rests_while_momentum_is_zero) {
  std::vector<SgdSlot> slots{{parameter({Shape{10}, DType::float32}, 1), {}, 0}};
  const SgdSettings with{.lr = 0.1, .momentum = 0.9};
  sgd_step(slots, {&with, 1});
  const std::vector<float> velocity = elements<float>(slots[0].velocity);
  const SgdSettings without{.lr = 0.1};
  sgd_step(slots, {&without, 1});
  EXPECT_EQ(elements<float>(slots[0].velocity), velocity);
}

TEST(Sgd, takes_types_and_sizes_together) {
  std::vector<SgdSlot> slots{{parameter({Shape{3, 5}, DType::float64}, 1), {}, 0},
                             {parameter({Shape{0}, DType::float32}, 2), {}, 0},
                             {parameter({Shape{8, 3, 41, 41}, DType::float32}, 3), {}, 0},
                             {parameter({Shape{}, DType::float32}, 4), {}, 0}};
  const SgdSettings settings{.lr = 1.0};
  std::vector<std::vector<double>> expected;
  const auto values = [](const Tensor& x) {
    if (x.spec().dtype == DType::float64) return elements<double>(x);
    const std::vector<float> single = elements<float>(x);
    return std::vector<double>(single.begin(), single.end());
  };
  for (const SgdSlot& slot : slots) {
    expected.push_back(values(slot.parameter->value));
    const std::vector<double> dw = values(slot.parameter->grad);
    for (std::size_t i = 0; i < dw.size(); ++i) expected.back()[i] -= dw[i];
  }
  sgd_step(slots, {&settings, 1});
  for (std::size_t s = 0; s < slots.size(); ++s) {
    const std::vector<double> w = values(slots[s].parameter->value);
    for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(w[i], expected[s][i], 1e-6) << s << ", " << i;
  }
}

TEST(Sgd, bytes_are_equal_at_any_number_of_threads) {
  const auto trained = [](int threads) {
    set_num_threads(threads);
    std::vector<SgdSlot> slots;
    for (const std::int64_t n : {500'003, 10, 100'000, 1}) {
      slots.push_back({parameter({Shape{n}, DType::float32}, static_cast<std::uint64_t>(n)), {}, 0});
    }
    const SgdSettings settings{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true};
    for (int step = 0; step < steps; ++step) sgd_step(slots, {&settings, 1});
    return slots;
  };
  const std::vector<SgdSlot> one = trained(1);
  for (const int threads : {2, 3, 8}) {
    const std::vector<SgdSlot> many = trained(threads);
    for (std::size_t s = 0; s < one.size(); ++s) {
      const Parameter& a = *one[s].parameter;
      const Parameter& b = *many[s].parameter;
      EXPECT_EQ(std::memcmp(a.value.data(), b.value.data(), a.value.spec().bytes()), 0) << threads;
      EXPECT_EQ(std::memcmp(one[s].velocity.data(), many[s].velocity.data(), a.value.spec().bytes()), 0);
    }
  }
}

TEST(Sgd, refuses_a_group_that_is_not_there) {
  std::vector<SgdSlot> slots{{parameter({Shape{10}, DType::float32}, 1), {}, 1}};
  const SgdSettings settings;
  EXPECT_THROW(sgd_step(slots, {&settings, 1}), ValueError);
}

TEST(Sgd, refuses_a_gradient_of_another_shape) {
  std::vector<SgdSlot> slots{{parameter({Shape{10}, DType::float32}, 1), {}, 0}};
  slots[0].parameter->grad = Tensor({Shape{11}, DType::float32});
  const SgdSettings settings;
  EXPECT_THROW(sgd_step(slots, {&settings, 1}), ShapeError);
}

}  // namespace
}  // namespace fastcnn
