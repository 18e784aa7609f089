#include "ops/add.h"

#include <gtest/gtest.h>

#include <limits>

#include "reference/add.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

std::vector<Tensor> inputs(const Shape& shape, DType dtype) {
  return {random_tensor({shape, dtype}, 1), random_tensor({shape, dtype}, 2)};
}

TEST(Add, adds_element_by_element) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{}, {0, 3}, {1}, {7, 13}, {2, 3, 5, 7}}) {
      const auto x = inputs(shape, dtype);
      const Tensor y = OpRunner(make_op("add", {}), x).forward();
      const Tensor expected({shape, dtype});
      dispatch_floating(dtype, [&]<class T>() {
        reference::add(x[0].view().as<T>(), x[1].view().as<T>(), expected.view().as<T>(), shape.numel());
      });
      expect_same_bytes(y, expected, shape.str());
    }
}

TEST(Add, gradients_match_finite_differences) {
  expect_gradients_match_finite_differences(make_op("add", {}), inputs({3, 5, 2, 2}, DType::float64));
}

TEST(Add, applies_an_activation_to_the_sum) {
  const auto x = inputs({2, 3, 5, 7}, DType::float64);
  const OpPtr op = Add().fused_with(Activation{.kind = Activation::Kind::relu}, {});
  const Tensor y = OpRunner(op, x).forward();
  for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i)
    ASSERT_EQ(element(y, i), std::max(element(x[0], i) + element(x[1], i), 0.0));
  EXPECT_EQ(op->describe({}), "Add, relu");
  EXPECT_EQ(op->fused_with(Activation{.kind = Activation::Kind::relu}, {}), nullptr);
  EXPECT_EQ(Add().fused_with(Activation{.kind = Activation::Kind::square}, {}), nullptr);
  const OpPtr tanh = Add().fused_with(Activation{.kind = Activation::Kind::tanh}, {});
  expect_gradients_match_finite_differences(tanh, inputs({3, 5, 2, 2}, DType::float64));
  expect_same_bytes_at_any_thread_count(op, inputs({3, 70001}, DType::float32));
}

TEST(Add, multiplies_inputs_by_their_coefficients) {
  const OpPtr op = make_op("add", {{"coefficients", std::vector<double>{0.5, -1.0, 1.25}}});
  EXPECT_EQ(op->describe({}), "Add 0.5, -1, 1.25");
  EXPECT_FALSE(op->as_epilogue({}));
  EXPECT_TRUE(std::holds_alternative<ResidualAdd>(*Add().as_epilogue({})));
  for (const Shape& shape : {Shape{}, {0, 3}, {1}, {7, 130}, {2, 3, 5, 7}}) {
    std::vector<Tensor> x = inputs(shape, DType::float64);
    x.push_back(random_tensor({shape, DType::float64}, 3));
    const Tensor y = OpRunner(op, x).forward();
    for (std::int64_t i = 0; i < shape.numel(); ++i)
      ASSERT_DOUBLE_EQ(element(y, i), 0.5 * element(x[0], i) - element(x[1], i) + 1.25 * element(x[2], i));
    expect_gradients_match_finite_differences(op, x);
    expect_gradients_match_finite_differences(op->fused_with(Activation{Activation::Kind::tanh}, {}), x);
  }
}

TEST(Add, takes_any_number_of_inputs) {
  std::vector<Tensor> x;
  for (unsigned i = 0; i < 5; ++i) {
    x.push_back(random_tensor({{3, 700}, DType::float64}, i));
    const Tensor y = OpRunner(make_op("add", {}), x).forward();
    for (std::int64_t j = 0; j < 2100; ++j) {
      double sum = 0;
      for (const Tensor& tensor : x) sum += element(tensor, j);
      ASSERT_NEAR(element(y, j), sum, 1e-15);
    }
    expect_gradients_match_finite_differences(make_op("add", {}), x);
  }
}

TEST(Add, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_op("add", {}), inputs({3, 70001}, DType::float32));
}

TEST(Add, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { Add().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3}}, {{2, 4}}}), "input 1 has shape (2, 4), expected (2, 3), as input 0");
  EXPECT_EQ(infer({{{2, 3}}, {{2, 3}, DType::float64}}), "input 1 has type float64, expected float32, as input 0");
  EXPECT_EQ(infer({}), "got 0 inputs, expected 1 to 32");
  EXPECT_EQ(message_of([] { Add({}, {1, 2, 3}).infer(std::vector<Spec>{{{2}}, {{2}}}); }),
            "got 2 inputs, 3 coefficients, expected as many");
  EXPECT_EQ(message_of([] { Add({}, {1, std::numeric_limits<double>::infinity()}); }),
            "coefficients must be finite, got inf");
}

}  // namespace
}  // namespace fastcnn::testing
