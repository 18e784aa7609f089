#include "optim/optimizer.h"

#include <gtest/gtest.h>

#include <utility>

#include "core/error.h"
#include "optim/adagrad.h"
#include "optim/adam.h"
#include "optim/rmsprop.h"
#include "optim/sgd.h"
#include "optimizer_testing.h"
#include "reference_backend.h"

namespace fastcnn::testing {
namespace {

// The same optimiser on the CPU and on the reference backend, which has the formulas element by element.
template <class O, class Settings>
void expect_formula(const Settings& settings, DType dtype, double tolerance) {
  const auto trained = [&](const BackendPtr& backend) {
    std::vector<ParameterPtr> parameters;
    for (const std::int64_t n : {1, 3, 17, 1000, 40'001})
      parameters.push_back(parameter_with_gradient({Shape{n}, dtype}, static_cast<std::uint64_t>(n)));
    O optimizer(ParameterGroups{parameters}, backend);
    optimizer.configure(0, settings);
    for (std::uint64_t step = 0; step < 5; ++step) {
      for (const ParameterPtr& p : parameters) fill_normal(p->grad.view(), step, 3, 0.0, 1.0);
      optimizer.step();
    }
    return optimizer.slots();
  };
  const auto actual = trained(cpu_backend()), expected = trained(reference_backend());
  dispatch_floating(dtype, [&]<class T>() {
    const auto expect_near = [&](const Tensor& x, const Tensor& y, const std::string& what) {
      ASSERT_EQ(!x, !y) << what;
      if (!x) return;
      const std::vector<T> a = elements<T>(x), b = elements<T>(y);
      for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << what << ", element " << i;
    };
    for (std::size_t p = 0; p < actual.size(); ++p) {
      const std::string name = "parameter " + std::to_string(p);
      expect_near(actual[p].parameter->value, expected[p].parameter->value, name);
      EXPECT_EQ(actual[p].steps, 5) << name;
      for (std::size_t s = 0; s < ParameterStep::max_states; ++s)
        expect_near(actual[p].state[s], expected[p].state[s], name + ", state " + std::to_string(s));
    }
  });
}

template <class O, class Settings>
void expect_formulas(const std::vector<Settings>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    expect_formula<O>(all[i], DType::float32, 2e-5);
    expect_formula<O>(all[i], DType::float64, 1e-12);
  }
}

TEST(Optimizer, adam_follows_its_formula) {
  expect_formulas<Adam>(std::vector<AdamSettings>{{.lr = 0.01},
                                                  {.lr = 0.01, .weight_decay = 0.1},
                                                  {.lr = 0.01, .beta1 = 0.5, .beta2 = 0.7, .eps = 1e-3},
                                                  {.lr = 0.01, .weight_decay = 0.1, .decoupled = true},
                                                  {.lr = 0.01, .beta2 = 0.5, .amsgrad = true}});
}

TEST(Optimizer, rmsprop_follows_its_formula) {
  expect_formulas<Rmsprop>(
      std::vector<RmspropSettings>{{.lr = 0.01},
                                   {.lr = 0.01, .alpha = 0.5, .eps = 1e-3, .weight_decay = 0.1},
                                   {.lr = 0.01, .momentum = 0.9},
                                   {.lr = 0.01, .eps = 1e-2, .momentum = 0.9, .centered = true}});
}

TEST(Optimizer, adagrad_follows_its_formula) {
  expect_formulas<Adagrad>(std::vector<AdagradSettings>{
      {.lr = 0.1},
      {.lr = 0.1, .lr_decay = 0.5, .weight_decay = 0.1},
      {.lr = 0.1, .initial_accumulator_value = 0.5, .eps = 1e-3}});
}

TEST(Optimizer, sgd_follows_its_formula) {
  expect_formulas<Sgd>(std::vector<SgdSettings>{
      {.lr = 0.1}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1}, {.lr = 0.1, .momentum = 0.9, .nesterov = true}});
}

TEST(Optimizer, bytes_are_equal_at_any_number_of_threads) {
  expect_bytes_equal_at_any_number_of_threads<Adam>(AdamSettings{.weight_decay = 0.1, .amsgrad = true});
  expect_bytes_equal_at_any_number_of_threads<Rmsprop>(RmspropSettings{.momentum = 0.9, .centered = true});
  expect_bytes_equal_at_any_number_of_threads<Adagrad>(AdagradSettings{.lr_decay = 0.1});
}

TEST(Optimizer, takes_types_and_sizes_together) {
  const std::vector<ParameterPtr> parameters{parameter_with_gradient({Shape{3, 5}, DType::float64}, 1),
                                             parameter_with_gradient({Shape{0}, DType::float32}, 2),
                                             parameter_with_gradient({Shape{8, 3, 41, 41}, DType::float32}, 3),
                                             parameter_with_gradient({Shape{}, DType::float32}, 4)};
  const auto values = [](const Tensor& x) {
    if (x.spec().dtype == DType::float64) return elements<double>(x);
    const std::vector<float> single = elements<float>(x);
    return std::vector<double>(single.begin(), single.end());
  };
  std::vector<std::vector<double>> expected;
  for (const ParameterPtr& p : parameters) {
    expected.push_back(values(p->value));
    const std::vector<double> dw = values(p->grad);
    for (std::size_t i = 0; i < dw.size(); ++i) expected.back()[i] -= dw[i];
  }
  Sgd sgd = optimizer_of<Sgd>(parameters, SgdSettings{.lr = 1.0});
  sgd.step();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::vector<double> w = values(parameters[p]->value);
    for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(w[i], expected[p][i], 1e-6) << p << ", " << i;
  }
}

TEST(Optimizer, parameters_without_gradient_stay) {
  const ParameterPtr p = parameter_with_gradient({Shape{10}, DType::float32}, 1);
  p->has_grad = false;
  const std::vector<float> before = elements<float>(p->value);
  Adam adam = optimizer_of<Adam>({p}, AdamSettings{});
  adam.step();
  EXPECT_EQ(elements<float>(p->value), before);
  EXPECT_FALSE(adam.slots()[0].state[0]);
  EXPECT_EQ(adam.slots()[0].steps, 0);
}

TEST(Optimizer, refuses_what_it_cannot_update) {
  const ParameterPtr p = parameter_with_gradient({Shape{10}, DType::float32}, 1);
  EXPECT_THROW(Sgd({{p}, {p}}, cpu_backend()), ValueError);
  EXPECT_THROW(Sgd({{std::make_shared<Parameter>(Spec{Shape{10}, DType::int64})}}, cpu_backend()), DTypeError);
  Sgd sgd = optimizer_of<Sgd>({p}, SgdSettings{.lr = 0.1});
  EXPECT_THROW(sgd.slot(1), ValueError);
  p->grad = Tensor({Shape{11}, DType::float32});
  EXPECT_THROW(sgd.step(), ShapeError);
}

}  // namespace
}  // namespace fastcnn::testing
