#include "ops/binary_cross_entropy.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

OpPtr loss(bool from_logits, const char* reduction) {
  return make_op("binary_cross_entropy", {{"from_logits", from_logits}, {"reduction", reduction}});
}

// x, targets in [0, 1] and, where it has a shape, the weight of positive answers.
std::vector<Tensor> inputs(bool from_logits, const Shape& shape, DType dtype, const Shape& weight = {}) {
  std::vector<Tensor> x{random_tensor({shape, dtype}, 1, from_logits ? -5 : 0.05, from_logits ? 5 : 0.95),
                        random_tensor({shape, dtype}, 2, 0, 1)};
  if (weight.rank() > 0) x.push_back(random_tensor({weight, dtype}, 3, 0.5, 3));
  return x;
}

double by_definition(bool from_logits, double x, double t, double a) {
  const double p = from_logits ? 1 / (1 + std::exp(-x)) : x;
  return -(a * t * std::log(p) + (1 - t) * std::log(1 - p));
}

TEST(BinaryCrossEntropy, matches_its_definition) {
  for (const bool from_logits : {true, false})
    for (const DType dtype : {DType::float32, DType::float64})
      for (const Shape& weight : {Shape{}, Shape{1}, Shape{5}})
        for (const std::int64_t n : {0, 1, 3, 1001}) {
          const auto x = inputs(from_logits, {n, 5}, dtype, weight);
          const double tolerance = dtype == DType::float32 ? 1e-5 : 1e-13;
          const Tensor none = OpRunner(loss(from_logits, "none"), x).forward();
          double sum = 0;
          for (std::int64_t i = 0; i < 5 * n; ++i) {
            const double a = weight.rank() == 0 ? 1 : element(x[2], weight[0] == 1 ? 0 : i % 5);
            const double expected = by_definition(from_logits, element(x[0], i), element(x[1], i), a);
            ASSERT_NEAR(element(none, i), expected, tolerance * (1 + expected));
            sum += expected;
          }
          const auto reduced = [&](const char* reduction) {
            return element(OpRunner(loss(from_logits, reduction), x).forward(), 0);
          };
          EXPECT_NEAR(reduced("sum"), sum, tolerance * (1 + sum));
          if (n == 0) continue;
          const double samples = static_cast<double>(n);
          EXPECT_NEAR(reduced("mean"), sum / (5 * samples), tolerance * (1 + sum / samples));
          EXPECT_NEAR(reduced("batchmean"), sum / samples, tolerance * (1 + sum / samples));
        }
}

TEST(BinaryCrossEntropy, gradients_match_finite_differences_in_both_inputs) {
  for (const bool from_logits : {true, false})
    for (const char* reduction : {"mean", "batchmean", "sum", "none"}) {
      for (const Shape& weight : {Shape{}, Shape{1}, Shape{7}})
        expect_gradients_match_finite_differences(loss(from_logits, reduction),
                                                  inputs(from_logits, {3, 7}, DType::float64, weight));
      expect_gradients_match_finite_differences(loss(from_logits, reduction),
                                                inputs(from_logits, {2, 3, 4, 5}, DType::float64, {1}));
    }
}

TEST(BinaryCrossEntropy, holds_at_the_ends_of_the_range) {
  Tensor x({{4}}), t({{4}});
  std::ranges::copy(std::initializer_list<float>{1e4f, -1e4f, 1e4f, -1e4f}, static_cast<float*>(x.data()));
  std::ranges::copy(std::initializer_list<float>{1, 1, 0, 0}, static_cast<float*>(t.data()));
  OpRunner logits(loss(true, "none"), {x, t});
  const Tensor y = logits.forward();
  const Tensor dx = logits.backward(random_tensor({{4}}, 1, 1.0, 1.0))[0];
  const double losses[] = {0, 1e4, 1e4, 0}, slopes[] = {0, -1, 1, 0};
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(element(y, i), losses[i]);
    EXPECT_EQ(element(dx, i), slopes[i]);
  }
  std::ranges::copy(std::initializer_list<float>{1, 0, 1, 0}, static_cast<float*>(x.data()));
  const Tensor certain = OpRunner(loss(false, "none"), {x, t}).forward();
  const double bounded[] = {0, 100, 100, 0};
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(element(certain, i), bounded[i]);
}

TEST(BinaryCrossEntropy, mean_over_nothing_is_nan) {
  const auto nothing = inputs(true, {0, 3}, DType::float32);
  EXPECT_TRUE(std::isnan(element(OpRunner(loss(true, "mean"), nothing).forward(), 0)));
}

TEST(BinaryCrossEntropy, has_the_same_bytes_at_any_thread_count) {
  for (const char* reduction : {"mean", "none"})
    expect_same_bytes_at_any_thread_count(loss(true, reduction), inputs(true, {9, 3011}, DType::float32, {3011}));
}

TEST(BinaryCrossEntropy, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { BinaryCrossEntropy().infer(x); }); };
  EXPECT_EQ(infer({{{4, 3}}, {{4, 2}}}), "target has shape (4, 2), expected (4, 3), as input");
  EXPECT_EQ(infer({{{4, 3}}, {{4, 3}}, {{4}}}),
            "pos_weight has shape (4,), expected (1,) or, for input (n, c), (c,); got (4, 3)");
  const auto x = inputs(true, {2, 3}, DType::float32);
  const std::string message = message_of([&] { OpRunner(loss(false, "mean"), x).forward(); });
  EXPECT_NE(message.find("expected 0 to 1"), std::string::npos) << message;
}

}  // namespace
}  // namespace fastcnn::testing
