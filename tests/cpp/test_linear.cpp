#include <gtest/gtest.h>

#include "reference/linear.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/linear.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

std::vector<Tensor> inputs(std::int64_t n, std::int64_t features, std::int64_t out, DType dtype, bool bias = true) {
  return {random_tensor({{n, features}, dtype}, 1), random_tensor({{out, features}, dtype}, 2),
          bias ? random_tensor({{out}, dtype}, 3) : Tensor()};
}

OpPtr linear_tanh() { return make_op("linear", {{"activation", "tanh"}, {"a", 1.7159}, {"b", 2.0 / 3}}); }

template <class T>
Tensor expected(const std::vector<Tensor>& x, const Activation& f) {
  const std::int64_t n = x[0].spec().shape[0], features = x[0].spec().shape[1], out = x[1].spec().shape[0];
  Tensor y({{n, out}, dtype_of<T>});
  reference::linear<T>({n, features, out}, f, static_cast<T*>(x[0].data()), static_cast<T*>(x[1].data()),
                       x[2] ? static_cast<T*>(x[2].data()) : nullptr, static_cast<T*>(y.data()));
  return y;
}

TEST(Linear, matches_its_definition) {
  const Activation functions[] = {{}, {Activation::Kind::relu}, {Activation::Kind::relu6}, {Activation::Kind::tanh, 1.7159, 2.0 / 3},
                                  {Activation::Kind::linear, 2.0, -1.0}};
  for (const Activation& f : functions)
    for (const auto& [n, features, out] :
         {std::array<std::int64_t, 3>{1, 1, 1}, {1, 800, 10}, {7, 33, 129}, {64, 17, 5}, {0, 4, 3}})
      for (const bool bias : {true, false}) {
        const auto x32 = inputs(n, features, out, DType::float32, bias);
        expect_near(OpRunner(std::make_shared<Linear>(Linear::Options{.activation = f}), x32).forward(), expected<float>(x32, f), 1e-5, "float32");
        const auto x64 = inputs(n, features, out, DType::float64, bias);
        expect_near(OpRunner(std::make_shared<Linear>(Linear::Options{.activation = f}), x64).forward(), expected<double>(x64, f), 1e-13, "float64");
      }
}

TEST(Linear, gradients_match_finite_differences) {
  expect_gradients_match_finite_differences(make_op("linear", {}), inputs(5, 7, 9, DType::float64));
  expect_gradients_match_finite_differences(make_op("linear", {}), inputs(1, 130, 3, DType::float64, false));
  expect_gradients_match_finite_differences(linear_tanh(), inputs(4, 6, 11, DType::float64));
  expect_gradients_match_finite_differences(make_op("linear", {{"activation", "sigmoid"}}),
                                            inputs(3, 5, 2, DType::float64));
  expect_gradients_match_finite_differences(make_op("linear", {{"activation", "linear"}, {"a", 3.0}}),
                                            inputs(3, 5, 2, DType::float64));
}

// Weights of 4 MB are done in tiles; the extents are no multiples of them.
TEST(Linear, gradients_of_large_weights_are_the_product_of_their_definition) {
  constexpr std::int64_t n = 3, features = 1100, out = 1031;
  OpRunner runner(make_op("linear", {}), inputs(n, features, out, DType::float64));
  runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 4);
  const Tensor x = inputs(n, features, out, DType::float64)[0];
  Tensor expected({{out, features}, DType::float64});
  const auto element = [](const Tensor& t, std::int64_t i) { return static_cast<const double*>(t.data())[i]; };
  for (std::int64_t i = 0; i < out; ++i)
    for (std::int64_t j = 0; j < features; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < n; ++k) sum += element(dy, k * out + i) * element(x, k * features + j);
      static_cast<double*>(expected.data())[i * features + j] = sum;
    }
  expect_near(runner.backward(dy)[1], expected, 1e-13, "dw");
}

TEST(Linear, writes_only_the_gradients_that_are_wanted) {
  OpRunner runner(make_op("linear", {}), inputs(3, 4, 2, DType::float32));
  runner.forward();
  const auto dx = runner.backward(random_tensor(runner.y_spec(), 4), {false, true, false});
  EXPECT_FALSE(dx[0]);
  EXPECT_TRUE(dx[1]);
  EXPECT_FALSE(dx[2]);
}

TEST(Linear, gradients_of_an_empty_batch_are_zero) {
  OpRunner runner(make_op("linear", {{"activation", "relu"}}), inputs(0, 4, 3, DType::float32));
  runner.forward();
  const auto dx = runner.backward(Tensor(runner.y_spec()));
  expect_same_bytes(dx[1], Tensor(dx[1].spec()), "dw");
  expect_same_bytes(dx[2], Tensor(dx[2].spec()), "db");
}

TEST(Linear, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(linear_tanh(), inputs(37, 300, 515, DType::float32));
  expect_same_bytes_at_any_thread_count(linear_tanh(), inputs(9, 130, 70, DType::float64));
}

TEST(Linear, takes_an_activation_once) {
  const Linear plain({});
  const std::vector<Spec> x{{{2, 8}}, {{3, 8}}};
  const Activation relu{Activation::Kind::relu}, square{Activation::Kind::square};
  ASSERT_NE(plain.fused_with(relu, x), nullptr);
  EXPECT_EQ(plain.fused_with(square, x), nullptr);
  EXPECT_EQ(plain.fused_with(relu, x)->fused_with(relu, x), nullptr);
}

TEST(Linear, counts_multiply_adds_and_describes_itself) {
  const auto x = inputs(2, 800, 500, DType::float32);
  const std::vector<Spec> specs{x[0].spec(), x[1].spec(), x[2].spec()};
  const Linear op({Activation::Kind::relu});
  EXPECT_EQ(op.macs(specs), 2 * 800 * 500);
  EXPECT_EQ(op.describe(specs), "Linear 800→500, relu");
}

TEST(Linear, says_what_does_not_fit) {
  const OpPtr op = make_op("linear", {});
  const auto infer = [&](std::vector<Spec> x) { return message_of([&] { op->infer(x); }); };
  EXPECT_EQ(infer({{{2, 9}}, {{3, 8}}, {{3}}}), "input has 9 features, expected 8");
  EXPECT_EQ(infer({{{2, 8}}, {{3, 8}}, {{4}}}), "bias has shape (4,), expected (3,)");
  EXPECT_EQ(infer({{{2, 8, 1, 1}}, {{3, 8}}}), "input has rank 4, expected 2 (n, features); got (2, 8, 1, 1)");
  EXPECT_EQ(infer({{{2, 8}}, {{3, 8}, DType::float64}}), "weight has type float64, expected float32, as input");
  EXPECT_EQ(infer({{{2, 8}, DType::int64}, {{3, 8}}}), "input has type int64, expected float32 or float64");
  EXPECT_EQ(infer({{{2, 8}}}), "got 1 input, expected 2 to 3 (x, w and optionally b)");
  EXPECT_THROW(make_op("linear", {{"activation", "square"}}), ValueError);
}

}  // namespace
}  // namespace fastcnn::testing
