#include "ops/multiply.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

std::vector<Tensor> inputs(const Shape& shape, unsigned count, DType dtype = DType::float64) {
  std::vector<Tensor> x;
  for (unsigned i = 0; i < count; ++i) x.push_back(random_tensor({shape, dtype}, i));
  return x;
}

TEST(Multiply, multiplies_element_by_element) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const unsigned count : {1u, 2u, 3u, 5u})
      for (const Shape& shape : {Shape{}, {0, 3}, {1}, {7, 130}, {2, 3, 5, 7}}) {
        const auto x = inputs(shape, count, dtype);
        const Tensor y = OpRunner(make_op("multiply", {}), x).forward();
        for (std::int64_t i = 0; i < shape.numel(); ++i) {
          double product = 1;
          for (const Tensor& tensor : x) product *= element(tensor, i);
          ASSERT_NEAR(element(y, i), product, 1e-6);
        }
      }
}

TEST(Multiply, gradients_match_finite_differences) {
  for (const unsigned count : {1u, 2u, 4u})
    expect_gradients_match_finite_differences(make_op("multiply", {}), inputs({3, 5, 7, 2}, count));
}

TEST(Multiply, gradients_hold_where_inputs_are_0) {
  const Tensor zeros({{5}, DType::float64});
  expect_gradients_match_finite_differences(make_op("multiply", {}), {zeros, random_tensor({{5}, DType::float64}, 1)});
}

TEST(Multiply, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_op("multiply", {}), inputs({3, 40001}, 3, DType::float32));
}

TEST(Multiply, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { Multiply().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3}}, {{2, 3}, DType::float64}}), "input 1 has type float64, expected float32, as input 0");
}

}  // namespace
}  // namespace fastcnn::testing
