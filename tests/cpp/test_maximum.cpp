#include "ops/maximum.h"

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

TEST(Maximum, is_the_largest_element) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const unsigned count : {1u, 2u, 3u, 5u})
      for (const Shape& shape : {Shape{}, {0, 3}, {1}, {7, 130}, {2, 3, 5, 7}}) {
        const auto x = inputs(shape, count, dtype);
        const Tensor y = OpRunner(make_op("maximum", {}), x).forward();
        for (std::int64_t i = 0; i < shape.numel(); ++i) {
          double largest = element(x[0], i);
          for (const Tensor& tensor : x) largest = std::max(largest, element(tensor, i));
          ASSERT_EQ(element(y, i), largest);
        }
      }
}

TEST(Maximum, is_nan_where_an_input_is) {
  for (const int which : {0, 1, 2}) {
    const auto x = inputs({1}, 3);
    static_cast<double*>(x[static_cast<std::size_t>(which)].data())[0] = std::nan("");
    EXPECT_TRUE(std::isnan(element(OpRunner(make_op("maximum", {}), x).forward(), 0))) << which;
  }
}

TEST(Maximum, gradients_match_finite_differences) {
  for (const unsigned count : {1u, 2u, 4u})
    expect_gradients_match_finite_differences(make_op("maximum", {}), inputs({3, 5, 7, 2}, count));
}

TEST(Maximum, of_equals_the_first_takes_the_gradient) {
  const Tensor ones = random_tensor({{5}, DType::float64}, 1, 1, 1), zeros({{5}, DType::float64});
  OpRunner runner(make_op("maximum", {}), {zeros, ones, ones});
  const std::vector<Tensor> dx = runner.backward(runner.forward());
  expect_same_bytes(dx[0], zeros, "dx[0]");
  expect_same_bytes(dx[1], ones, "dx[1]");
  expect_same_bytes(dx[2], zeros, "dx[2]");
  expect_same_bytes(runner.backward(ones, {true, false, true})[2], zeros, "dx[2] without dx[1]");
}

TEST(Maximum, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_op("maximum", {}), inputs({3, 40001}, 3, DType::float32));
}

TEST(Maximum, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { Maximum().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3}}, {{2, 4}}}), "input 1 has shape (2, 4), expected (2, 3), as input 0");
  EXPECT_EQ(infer({}), "got 0 inputs, expected 1 to 32");
  EXPECT_EQ(infer(std::vector<Spec>(33, Spec{{2}})), "got 33 inputs, expected 1 to 32");
}

}  // namespace
}  // namespace fastcnn::testing
