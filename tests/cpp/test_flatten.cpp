#include <gtest/gtest.h>

#include "reference/storage.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/flatten.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

OpPtr flatten(std::int64_t start_dim) { return make_op("flatten", {{"start_dim", start_dim}}); }

using reference::storage_index;

template <class T>
void expect_row_major_order_kept(const Shape& shape, std::int64_t start_dim) {
  const Tensor x = random_tensor({shape, dtype_of<T>}, 1);
  OpRunner runner(flatten(start_dim), {x});
  const Tensor y = runner.forward();
  const Tensor dx = runner.backward(y)[0];
  ASSERT_EQ(y.spec().shape.numel(), shape.numel());
  for (std::int64_t i = 0; i < shape.numel(); ++i)
    ASSERT_EQ(element(y, storage_index(y.spec().shape, i)), element(x, storage_index(shape, i)))
        << shape.str() << ", start_dim=" << start_dim;
  expect_same_bytes(dx, x, "gradient of " + shape.str());
}

TEST(Flatten, keeps_the_row_major_order_of_the_logical_shape) {
  for (const Shape& shape : {Shape{2, 50, 4, 4}, {3, 5, 7, 2}, {1, 1, 6, 6}, {4, 33, 1, 1}, {2, 17, 1, 19},
                             {0, 3, 2, 2}, {5, 6}, {2, 3, 4}, {2, 3, 2, 5, 2}, {2, 1, 3, 2, 2, 2}})
    for (int start_dim = 0; start_dim < shape.rank(); ++start_dim) {
      expect_row_major_order_kept<float>(shape, start_dim);
      expect_row_major_order_kept<double>(shape, start_dim);
    }
}

TEST(Flatten, makes_chw_features_of_images) {
  EXPECT_EQ(Flatten().infer(std::vector<Spec>{{{8, 256, 6, 6}}})[0].shape, (Shape{8, 9216}));
  EXPECT_EQ(Flatten(-1).infer(std::vector<Spec>{{{8, 3, 5}}})[0].shape, (Shape{8, 3, 5}));
}

TEST(Flatten, runs_in_place_only_where_the_storage_order_stays) {
  const auto in_place = [](const Shape& shape) {
    return cpu_backend()->make(std::make_shared<Flatten>(), Pass::forward, std::vector<Spec>{{shape}})->in_place();
  };
  EXPECT_TRUE(in_place({2, 3}));
  EXPECT_TRUE(in_place({2, 3, 4}));
  EXPECT_TRUE(in_place({2, 1, 5, 5}));
  EXPECT_TRUE(in_place({2, 64, 1, 1}));
  EXPECT_FALSE(in_place({2, 3, 4, 4}));
}

TEST(Flatten, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(flatten(1), {random_tensor({{9, 64, 13, 13}}, 2)});
}

TEST(Flatten, refuses_an_axis_that_is_not_there) {
  EXPECT_EQ(message_of([] { Flatten(4).infer(std::vector<Spec>{{{2, 3, 4, 4}}}); }),
            "axis 4 is out of range for rank 4");
}

}  // namespace
}  // namespace fastcnn::testing
