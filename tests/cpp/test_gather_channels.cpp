#include "ops/gather_channels.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

Tensor index_of(const std::vector<std::int64_t>& values) {
  Tensor index({{static_cast<std::int64_t>(values.size())}, DType::int64});
  std::ranges::copy(values, index.view().as<std::int64_t>());
  return index;
}

TEST(GatherChannels, takes_channels_in_the_order_of_the_index) {
  const std::vector<std::int64_t> order{4, 0, 0, 2, 4};
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{0, 5}, {3, 5}, {1, 5, 1, 1}, {2, 5, 7, 9}}) {
      const Tensor x = random_tensor({shape, dtype}, 1);
      const Tensor y = OpRunner(make_op("gather_channels", {}), {x, index_of(order)}).forward();
      EXPECT_EQ(y.spec().shape[1], 5);
      for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i)
        ASSERT_EQ(element(y, i), element(x, i / 5 * 5 + order[static_cast<std::size_t>(i % 5)]));
    }
}

TEST(GatherChannels, adds_up_the_gradients_of_a_channel_taken_several_times) {
  for (const Shape& shape : {Shape{3, 4}, {2, 4, 5, 3}})
    for (const auto& order : {std::vector<std::int64_t>{3, 1, 1, 0, 1, 2}, {2}, {}})
      expect_gradients_match_finite_differences(make_op("gather_channels", {}),
                                                {random_tensor({shape, DType::float64}, 1), index_of(order)});
}

TEST(GatherChannels, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(
      make_op("gather_channels", {}),
      {random_tensor({{5, 3, 61, 67}, DType::float32}, 1), index_of({0, 2, 1, 2, 2})});
}

TEST(GatherChannels, says_what_does_not_fit) {
  const auto infer = [](std::vector<Spec> x) { return message_of([&] { GatherChannels().infer(x); }); };
  EXPECT_EQ(infer({{{2, 3, 4}}, {{3}, DType::int64}}), "input has rank 3, expected 4 (n, c, h, w); got (2, 3, 4)");
  EXPECT_EQ(infer({{{2, 3}}, {{3}}}), "index has type float32, expected int64, numbers of channels");
  EXPECT_EQ(infer({{{2, 3}}, {{3, 1}, DType::int64}}), "index has rank 2, expected 1 (m); got (3, 1)");
  EXPECT_EQ(infer({{{2, 3}}}), "got 1 input, expected 2 (x and index)");
  EXPECT_EQ(GatherChannels().describe(std::vector<Spec>{{{2, 3}}, {{7}, DType::int64}}), "GatherChannels 3→7");
  for (const std::int64_t wrong : {-1, 3})
    EXPECT_EQ(message_of([&] {
                OpRunner(make_op("gather_channels", {}), {random_tensor({{2, 3}}, 1), index_of({0, wrong})}).forward();
              }),
              "index " + std::to_string(wrong) + " at place 1 is out of range, expected 0 to 2");
}

}  // namespace
}  // namespace fastcnn::testing
