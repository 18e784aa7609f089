#include "ops/concat.h"

#include <gtest/gtest.h>

#include "reference/concat.h"
#include "reference/storage.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

OpPtr concat(int axis) { return make_op("concat", {{"axis", std::int64_t{axis}}}); }

// Three inputs of `shape`, but for their own extents along `axis`.
std::vector<Tensor> inputs(Shape shape, int axis, DType dtype) {
  std::vector<Tensor> x;
  for (const int extent : {3, 1, 4}) {
    shape[axis] = extent;
    x.push_back(random_tensor({shape, dtype}, static_cast<unsigned>(extent)));
  }
  return x;
}

TEST(Concat, puts_inputs_one_behind_the_other) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{2, 3, 5, 4}, {3, 4}, {5}, {2, 3, 4}, {2, 3, 2, 3, 2}, {0, 2, 3, 3}})
      for (int axis = shape[0] == 0 ? 1 : 0; axis < shape.rank(); ++axis) {
        const auto x = inputs(shape, axis, dtype);
        OpRunner runner(concat(axis), x);
        const Tensor y = runner.forward();
        const auto dx = runner.backward(y);
        std::int64_t offset = 0;
        for (std::size_t input = 0; input < x.size(); ++input) {
          const Shape& own = x[input].spec().shape;
          for (std::int64_t i = 0; i < own.numel(); ++i) {
            const std::int64_t at = reference::index_in_concat(own, y.spec().shape, axis, offset, i);
            ASSERT_EQ(element(y, reference::storage_index(y.spec().shape, at)),
                      element(x[input], reference::storage_index(own, i)))
                << shape.str() << " axis " << axis;
          }
          expect_same_bytes(dx[input], x[input], "gradient");
          offset += own[axis];
        }
        EXPECT_EQ(y.spec().shape[axis], offset);
      }
}

TEST(Concat, skips_gradients_that_are_not_wanted) {
  OpRunner runner(concat(1), inputs({2, 1, 3, 3}, 1, DType::float32));
  const Tensor y = runner.forward();
  const auto dx = runner.backward(y, {false, true, true});
  EXPECT_FALSE(dx[0]);
  expect_same_bytes(dx[2], runner.x()[2], "gradient of the last");
}

TEST(Concat, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(concat(1), inputs({3, 1, 90, 70}, 1, DType::float32));
  expect_same_bytes_at_any_thread_count(concat(0), inputs({1, 8, 90, 70}, 0, DType::float32));
}

TEST(Concat, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { Concat().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3, 4, 4}}, {{2, 9, 4, 5}}}),
            "input 1 has shape (2, 9, 4, 5), expected (2, 3, 4, 4), as input 0, except along axis 1");
  EXPECT_EQ(infer({{{2, 3}}, {{2, 3}, DType::float64}}), "input 1 has type float64, expected float32, as input 0");
  EXPECT_EQ(infer({}), "got 0 inputs, expected at least 1");
  EXPECT_EQ(infer({{{2}}}), "axis 1 is out of range for rank 1");
}

}  // namespace
}  // namespace fastcnn::testing
