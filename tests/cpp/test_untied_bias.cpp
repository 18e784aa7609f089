#include "ops/untied_bias.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

std::vector<Tensor> inputs(const Shape& shape, DType dtype) {
  Shape sample = shape;
  sample[0] = 1;
  return {random_tensor({shape, dtype}, 1), random_tensor({sample, dtype}, 2)};
}

TEST(UntiedBias, adds_each_element_of_b_to_every_sample) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{1}, {5}, {0, 3}, {7, 13}, {1, 3, 5, 7}, {3, 70, 9, 11}}) {
      const auto x = inputs(shape, dtype);
      const Tensor y = OpRunner(make_op("untied_bias", {}), x).forward();
      const std::int64_t size = x[1].spec().shape.numel();
      for (std::int64_t i = 0; i < shape.numel(); ++i)
        ASSERT_NEAR(element(y, i), element(x[0], i) + element(x[1], i % size), 1e-6) << shape.str();
    }
}

TEST(UntiedBias, gradients_match_finite_differences) {
  for (const Shape& shape : {Shape{4}, {1, 3, 5, 7}, {5, 6, 11, 10}}) {
    expect_gradients_match_finite_differences(make_op("untied_bias", {}), inputs(shape, DType::float64));
    expect_gradients_match_finite_differences(UntiedBias().fused_with(Activation{.kind = Activation::Kind::tanh}, {}),
                                              inputs(shape, DType::float64));
  }
}

TEST(UntiedBias, gradient_of_the_bias_is_there_without_that_of_the_input) {
  OpRunner runner(UntiedBias().fused_with(Activation{.kind = Activation::Kind::relu}, {}), inputs({3, 600}, DType::float32));
  runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 5);
  expect_same_bytes(runner.backward(dy, {false, true})[1], runner.backward(dy)[1], "db");
  expect_same_bytes(runner.backward(dy, {true, false})[0], runner.backward(dy)[0], "dx");
}

TEST(UntiedBias, of_an_empty_batch_has_zero_gradient) {
  OpRunner runner(make_op("untied_bias", {}), inputs({0, 3}, DType::float32));
  runner.forward();
  const Tensor db = runner.backward(Tensor(runner.y_spec()))[1];
  for (std::int64_t i = 0; i < 3; ++i) ASSERT_EQ(element(db, i), 0);
}

TEST(UntiedBias, takes_an_activation_once) {
  const OpPtr op = UntiedBias().fused_with(Activation{.kind = Activation::Kind::relu}, {});
  const auto x = inputs({2, 3, 5, 7}, DType::float32);
  const Tensor y = OpRunner(op, x).forward();
  for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i)
    ASSERT_EQ(static_cast<float>(element(y, i)),
              std::max(static_cast<float>(element(x[0], i)) + static_cast<float>(element(x[1], i % 105)), 0.0f));
  EXPECT_EQ(op->describe({}), "UntiedBias, relu");
  EXPECT_EQ(op->fused_with(Activation{.kind = Activation::Kind::relu}, {}), nullptr);
  EXPECT_EQ(UntiedBias().fused_with(Activation{.kind = Activation::Kind::square}, {}), nullptr);
}

TEST(UntiedBias, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_op("untied_bias", {}), inputs({33, 7001}, DType::float32));
}

TEST(UntiedBias, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { UntiedBias().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3}}, {{3}}}), "bias has shape (3,), expected (1, 3) for input (2, 3)");
  EXPECT_EQ(infer({{{2, 3}}, {{1, 3}, DType::float64}}), "bias has type float64, expected float32, as input");
  EXPECT_EQ(infer({{}, {}}), "input is a scalar, expected a batch of samples");
  EXPECT_EQ(infer({{{2, 3}}}), "got 1 input, expected 2 (x and b)");
}

}  // namespace
}  // namespace fastcnn::testing
