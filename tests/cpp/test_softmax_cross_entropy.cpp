#include <gtest/gtest.h>

#include <initializer_list>

#include "reference/softmax.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"
#include "ops/softmax_cross_entropy.h"

namespace fastcnn::testing {
namespace {

OpPtr loss(const char* reduction, double smoothing = 0, std::int64_t ignore = -100) {
  return make_op("softmax_cross_entropy",
                 {{"reduction", reduction}, {"label_smoothing", smoothing}, {"ignore_index", ignore}});
}

Tensor targets(std::int64_t n, std::int64_t classes) {
  Tensor target({{n}, DType::int64});
  for (std::int64_t i = 0; i < n; ++i) static_cast<std::int64_t*>(target.data())[i] = (i * 7 + 3) % classes;
  return target;
}

template <class T>
void expect_definition(std::int64_t n, std::int64_t classes, double tolerance) {
  const Tensor x = random_tensor({{n, classes}, dtype_of<T>}, 1, -9, 9);
  const Tensor target = targets(n, classes);
  Tensor none({{n}, dtype_of<T>}), sum({{}, dtype_of<T>}), mean({{}, dtype_of<T>});
  T total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T value = reference::cross_entropy(static_cast<T*>(x.data()) + i * classes, classes,
                                             static_cast<std::int64_t*>(target.data())[i]);
    static_cast<T*>(none.data())[i] = value;
    total += value;
  }
  *static_cast<T*>(sum.data()) = total;
  *static_cast<T*>(mean.data()) = total / static_cast<T>(n);
  expect_near(OpRunner(loss("none"), {x, target}).forward(), none, tolerance, "none");
  expect_near(OpRunner(loss("sum"), {x, target}).forward(), sum, tolerance, "sum");
  if (n > 0) expect_near(OpRunner(loss("mean"), {x, target}).forward(), mean, tolerance, "mean");
}

TEST(SoftmaxCrossEntropy, matches_its_definition) {
  for (const std::int64_t n : {0, 1, 5, 64})
    for (const std::int64_t classes : {1, 2, 10, 16, 33, 1000}) {
      expect_definition<float>(n, classes, 1e-6);
      expect_definition<double>(n, classes, 1e-14);
    }
}

TEST(SoftmaxCrossEntropy, gradients_match_finite_differences) {
  for (const char* reduction : {"mean", "sum", "none"})
    for (const std::int64_t classes : {1, 10, 37})
      expect_gradients_match_finite_differences(
          loss(reduction), {random_tensor({{4, classes}, DType::float64}, 2, -3, 3), targets(4, classes)});
}

// Rows that sum to 1.
Tensor distribution(std::int64_t n, std::int64_t classes, DType dtype) {
  const Tensor t = random_tensor({{n, classes}, dtype}, 7, 0.1, 1.0);
  dispatch_floating(dtype, [&]<class T>() {
    for (T* row = t.view().as<T>(); row < t.view().as<T>() + n * classes; row += classes) {
      T sum = 0;
      for (std::int64_t c = 0; c < classes; ++c) sum += row[c];
      for (std::int64_t c = 0; c < classes; ++c) row[c] /= sum;
    }
  });
  return t;
}

double minus_log_p(const Tensor& x, std::int64_t row, std::int64_t classes, std::int64_t c) {
  return reference::cross_entropy(static_cast<double*>(x.data()) + row * classes, classes, c);
}

TEST(SoftmaxCrossEntropy, smooths_weighs_and_ignores_as_defined) {
  constexpr std::int64_t n = 6, classes = 5;
  constexpr double smoothing = 0.2;
  const Tensor x = random_tensor({{n, classes}, DType::float64}, 1, -4, 4);
  const Tensor target = targets(n, classes);
  const Tensor weight = random_tensor({{classes}, DType::float64}, 2, 0.5, 2.0);
  const auto* labels = static_cast<std::int64_t*>(target.data());
  const std::int64_t ignored = labels[1];
  double sum = 0, weights = 0;
  Tensor none({{n}, DType::float64});
  for (std::int64_t i = 0; i < n; ++i) {
    double& row = static_cast<double*>(none.data())[i];
    if (labels[i] == ignored) continue;
    for (std::int64_t c = 0; c < classes; ++c) {
      const double q = (c == labels[i] ? 1 - smoothing : 0) + smoothing / classes;
      row += element(weight, c) * q * minus_log_p(x, i, classes, c);
    }
    sum += row;
    weights += element(weight, labels[i]);
  }
  const std::vector<Tensor> inputs{x, target, weight};
  expect_near(OpRunner(loss("none", smoothing, ignored), inputs).forward(), none, 1e-14, "none");
  EXPECT_NEAR(element(OpRunner(loss("sum", smoothing, ignored), inputs).forward(), 0), sum, 1e-13);
  EXPECT_NEAR(element(OpRunner(loss("mean", smoothing, ignored), inputs).forward(), 0), sum / weights, 1e-13);
  EXPECT_NEAR(element(OpRunner(loss("batchmean", smoothing, ignored), inputs).forward(), 0), sum / n, 1e-13);
}

TEST(SoftmaxCrossEntropy, takes_distributions_as_defined) {
  for (const std::int64_t n : {0, 1, 7}) {
    constexpr std::int64_t classes = 4;
    const Tensor x = random_tensor({{n, classes}, DType::float64}, 1, -4, 4);
    const Tensor t = distribution(n, classes, DType::float64);
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t c = 0; c < classes; ++c)
        sum += (0.9 * element(t, i * classes + c) + 0.1 / classes) * minus_log_p(x, i, classes, c);
    EXPECT_NEAR(element(OpRunner(loss("sum", 0.1), {x, t}).forward(), 0), sum, 1e-13);
    if (n > 0) {
      EXPECT_NEAR(element(OpRunner(loss("mean", 0.1), {x, t}).forward(), 0), sum / n, 1e-13);
    }
  }
}

TEST(SoftmaxCrossEntropy, gradients_of_all_options_match_finite_differences) {
  const Tensor x = random_tensor({{5, 6}, DType::float64}, 2, -3, 3);
  const Tensor weight = random_tensor({{6}, DType::float64}, 3, 0.5, 2.0);
  const Tensor labels = targets(5, 6);
  const std::int64_t ignored = static_cast<std::int64_t*>(labels.data())[2];
  for (const char* reduction : {"mean", "batchmean", "sum", "none"})
    for (const double smoothing : {0.0, 0.3})
      for (const Tensor& w : {Tensor(), weight}) {
        const Tensor t = distribution(5, 6, DType::float64);
        for (const Tensor& target : {labels, t}) {
          std::vector<Tensor> inputs{x, target};
          if (w) inputs.push_back(w);
          const bool are_labels = target.spec().dtype == DType::int64;
          expect_gradients_match_finite_differences(loss(reduction, smoothing, are_labels ? ignored : -100), inputs);
        }
      }
}

TEST(SoftmaxCrossEntropy, ignored_rows_may_hold_any_class) {
  const Tensor target = targets(4, 3);
  static_cast<std::int64_t*>(target.data())[2] = -100;
  const Tensor x = random_tensor({{4, 3}, DType::float64}, 1);
  OpRunner runner(loss("none"), {x, target});
  EXPECT_EQ(element(runner.forward(), 2), 0.0);
  const Tensor dx = runner.backward(random_tensor({{4}, DType::float64}, 2))[0];
  for (std::int64_t c = 0; c < 3; ++c) EXPECT_EQ(element(dx, 2 * 3 + c), 0.0);
}

TEST(SoftmaxCrossEntropy, a_distributions_gradient_survives_small_probabilities) {
  Tensor x({{1, 2}}), t({{1, 2}});
  static_cast<float*>(x.data())[1] = 1e4f;
  static_cast<float*>(t.data())[1] = 1.0f;
  OpRunner runner(loss("sum"), {x, t});
  runner.forward();
  const std::vector<Tensor> gradients = runner.backward(random_tensor({{}}, 1, 1.0, 1.0));
  EXPECT_EQ(element(gradients[1], 0), 1e4);
  EXPECT_EQ(element(gradients[1], 1), 0.0);
}

TEST(SoftmaxCrossEntropy, survives_logits_that_would_overflow) {
  Tensor x({{1, 3}});
  std::ranges::copy(std::initializer_list<float>{1e4f, 0.0f, -1e4f}, static_cast<float*>(x.data()));
  Tensor target({{1}, DType::int64});
  *static_cast<std::int64_t*>(target.data()) = 1;
  OpRunner runner(loss("sum"), {x, target});
  EXPECT_EQ(element(runner.forward(), 0), 1e4);
  const Tensor dx = runner.backward(random_tensor({{}}, 1, 1.0, 1.0))[0];
  EXPECT_EQ(element(dx, 0), 1.0);
  EXPECT_EQ(element(dx, 1), -1.0);
  EXPECT_EQ(element(dx, 2), 0.0);
}

TEST(SoftmaxCrossEntropy, mean_over_nothing_is_nan) {
  OpRunner runner(loss("mean"), {Tensor({{0, 10}}), Tensor({{0}, DType::int64})});
  EXPECT_TRUE(std::isnan(element(runner.forward(), 0)));
}

TEST(SoftmaxCrossEntropy, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(loss("mean"), {random_tensor({{130, 1000}}, 3), targets(130, 1000)});
  expect_same_bytes_at_any_thread_count(loss("mean", 0.1),
                                        {random_tensor({{130, 1000}}, 3), distribution(130, 1000, DType::float32),
                                         random_tensor({{1000}}, 4, 0.5, 2.0)});
}

TEST(SoftmaxCrossEntropy, names_the_target_that_is_out_of_range) {
  const Tensor target = targets(4, 3);
  for (const std::int64_t wrong : {std::int64_t{3}, std::int64_t{-1}}) {
    static_cast<std::int64_t*>(target.data())[2] = wrong;
    OpRunner runner(loss("mean"), {random_tensor({{4, 3}}, 1), target});
    EXPECT_EQ(message_of([&] { runner.forward(); }),
              "target " + std::to_string(wrong) + " at index 2 is out of range, expected 0 to 2");
  }
}

TEST(SoftmaxCrossEntropy, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { SoftmaxCrossEntropy().infer(x); }); };
  EXPECT_EQ(infer({{{4, 10}}, {{5}, DType::int64}}), "target has shape (5,), expected (4,) for logits (4, 10)");
  EXPECT_EQ(infer({{{4, 10}}, {{4}}}), "target has type float32, expected int64, the class of each row");
  EXPECT_EQ(infer({{{4, 10, 1}}, {{4}, DType::int64}}), "logits has rank 3, expected 2 (n, c); got (4, 10, 1)");
  EXPECT_EQ(infer({{{4, 0}}, {{4}, DType::int64}}), "logits have no classes; got (4, 0)");
  EXPECT_EQ(infer({{{4, 10}}, {{4, 9}}}), "target has shape (4, 9), expected (4, 10), as logits");
  EXPECT_EQ(infer({{{4, 10}}, {{4, 10}, DType::float64}}), "target has type float64, expected float32, as logits");
  EXPECT_EQ(infer({{{4, 10}}, {{4}, DType::int64}, {{9}}}), "weight has shape (9,), expected (10,), one per class");
  EXPECT_EQ(message_of([] { loss("mean", 0, 3)->infer(std::vector<Spec>{{{4, 10}}, {{4, 10}}}); }),
            "ignore_index needs targets that are classes, not distributions");
  EXPECT_EQ(message_of([] { loss("mean", 1.5); }), "label_smoothing is 1.500000, expected 0 to 1");
  EXPECT_EQ(message_of([] { make_op("softmax_cross_entropy", {{"reduction", "max"}}); }),
            "unknown reduction \"max\", expected mean, batchmean, sum or none");
}

}  // namespace
}  // namespace fastcnn::testing
