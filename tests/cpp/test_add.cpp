#include "ops/add.h"

#include <gtest/gtest.h>

#include "cpu/reference/add.h"
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
  const OpPtr op = Add().fused_with({.kind = Activation::Kind::relu});
  const Tensor y = OpRunner(op, x).forward();
  for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i)
    ASSERT_EQ(element(y, i), std::max(element(x[0], i) + element(x[1], i), 0.0));
  EXPECT_EQ(op->describe({}), "Add, relu");
  EXPECT_EQ(op->fused_with({.kind = Activation::Kind::relu}), nullptr);
  EXPECT_EQ(Add().fused_with({.kind = Activation::Kind::square}), nullptr);
  const OpPtr tanh = Add().fused_with({.kind = Activation::Kind::tanh});
  expect_gradients_match_finite_differences(tanh, inputs({3, 5, 2, 2}, DType::float64));
  expect_same_bytes_at_any_thread_count(op, inputs({3, 70001}, DType::float32));
}

TEST(Add, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_op("add", {}), inputs({3, 70001}, DType::float32));
}

TEST(Add, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { Add().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3}}, {{2, 4}}}), "b has shape (2, 4), expected (2, 3), as a");
  EXPECT_EQ(infer({{{2, 3}}, {{2, 3}, DType::float64}}), "b has type float64, expected float32, as a");
  EXPECT_EQ(infer({{{2, 3}}}), "got 1 input, expected 2 (a and b)");
}

}  // namespace
}  // namespace fastcnn::testing
