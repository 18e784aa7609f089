#include "ops/softmax.h"

#include <gtest/gtest.h>

#include "backend/cpu/kernels.h"
#include "reference/softmax.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

template <class T>
void expect_definition(double tolerance) {
  for (const Shape& shape : {Shape{5, 10}, {1, 1}, {3, 16}, {2, 1000}, {2, 3, 37}, {2, 21, 3, 4}, {0, 10}, {4, 0}}) {
    const Tensor x = random_tensor({shape, dtype_of<T>}, 1, -9, 9);
    Tensor y(x.spec());
    const std::int64_t axis = shape.rank() == 4 ? 1 : shape.rank() - 1;
    const std::int64_t count = shape[static_cast<int>(axis)];
    for (std::int64_t i = 0; i < shape.numel(); i += count)
      reference::softmax(static_cast<T*>(x.data()) + i, static_cast<T*>(y.data()) + i, count, 1);
    expect_near(OpRunner(std::make_shared<Softmax>(axis), {x}).forward(), y, tolerance, shape.str());
  }
}

TEST(Softmax, matches_its_definition) {
  expect_definition<float>(1e-6);
  expect_definition<double>(1e-15);
}

TEST(Softmax, gradients_match_finite_differences) {
  for (const Shape& shape : {Shape{3, 7}, {2, 40}, {2, 5, 2, 3}})
    expect_gradients_match_finite_differences(make_op("softmax", {}),
                                              {random_tensor({shape, DType::float64}, 2, -3, 3)});
}

TEST(Softmax, of_large_numbers_does_not_overflow) {
  float x[] = {1e30f, 1e30f, -1e30f};
  kernels<float>().softmax(x, x, 1, 3);
  EXPECT_EQ(x[0], 0.5f);
  EXPECT_EQ(x[1], 0.5f);
  EXPECT_EQ(x[2], 0.0f);
}

TEST(Softmax, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_op("softmax", {}), {random_tensor({{130, 1000}}, 3)});
}

TEST(Softmax, runs_along_the_channels_or_the_last_axis_only) {
  EXPECT_EQ(Softmax(-1).infer(std::vector<Spec>{{{4, 3}}})[0].shape, (Shape{4, 3}));
  EXPECT_EQ(message_of([] { Softmax(3).infer(std::vector<Spec>{{{2, 3, 4, 5}}}); }),
            "softmax of rank 4 runs along axis 1, got axis 3");
  EXPECT_EQ(message_of([] { Softmax(2).infer(std::vector<Spec>{{{2, 3}}}); }), "axis 2 is out of range for rank 2");
}

}  // namespace
}  // namespace fastcnn::testing
