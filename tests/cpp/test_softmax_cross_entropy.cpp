#include <gtest/gtest.h>

#include <initializer_list>

#include "cpu/reference/softmax.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"
#include "ops/softmax_cross_entropy.h"

namespace fastcnn::testing {
namespace {

OpPtr loss(const char* reduction) { return make_op("softmax_cross_entropy", {{"reduction", reduction}}); }

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
  EXPECT_EQ(message_of([] { make_op("softmax_cross_entropy", {{"reduction", "max"}}); }),
            "unknown reduction \"max\", expected mean, sum or none");
}

}  // namespace
}  // namespace fastcnn::testing
