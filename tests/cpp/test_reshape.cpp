#include "ops/reshape.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "backend/cpu/ops/copy_reshaped.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

// Element number i in row-major order of the logical shape.
double logical(const Tensor& t, std::int64_t i) {
  const Shape& s = t.spec().shape;
  if (s.rank() != 4) return element(t, i);
  const std::int64_t pixels = s[2] * s[3], image = s[1] * pixels;
  return element(t, i / image * image + i % pixels * s[1] + i % image / pixels);
}

const Shape shapes[] = {{24},         {2, 12},       {2, 3, 4},    {2, 3, 2, 2},
                        {1, 4, 6, 1}, {24, 1, 1, 1}, {1, 1, 4, 6}, {2, 2, 3, 2, 1}};

std::vector<std::int64_t> extents(const Shape& shape) { return {shape.begin(), shape.end()}; }

TEST(Reshape, keeps_the_logical_order_between_any_ranks) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& from : shapes)
      for (const Shape& to : shapes) {
        const Tensor x = random_tensor({from, dtype}, 1);
        OpRunner runner(std::make_shared<Reshape>(extents(to)), {x});
        const Tensor y = runner.forward();
        EXPECT_EQ(y.spec().shape, to);
        for (std::int64_t i = 0; i < 24; ++i) ASSERT_EQ(logical(y, i), logical(x, i)) << from.str() << to.str();
        expect_same_bytes(runner.backward(y)[0], x, "gradient");
      }
}

TEST(Reshape, says_whether_it_can_stay_in_place) {
  EXPECT_TRUE(same_storage({{2, 12}}, {{24}}));
  EXPECT_TRUE(same_storage({{2, 3, 1, 1}}, {{2, 3}}));
  EXPECT_TRUE(same_storage({{2, 3, 4, 5}}, {{2, 3, 4, 5}}));
  EXPECT_FALSE(same_storage({{2, 3, 4, 5}}, {{2, 60}}));
  EXPECT_FALSE(same_storage({{2, 3, 4, 5}}, {{2, 5, 4, 3}}));
}

TEST(Reshape, fills_in_one_extent) {
  const Spec x{{2, 3, 4, 5}};
  EXPECT_EQ(Reshape({2, -1}).infer(std::vector<Spec>{x})[0].shape, (Shape{2, 60}));
  EXPECT_EQ(Reshape({-1}).infer(std::vector<Spec>{x})[0].shape, (Shape{120}));
  EXPECT_EQ(Reshape({0, -1}).infer(std::vector<Spec>{{{0, 5}}})[0].shape, (Shape{0, 0}));
}

TEST(Reshape, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(std::make_shared<Reshape>(std::vector<std::int64_t>{-1, 7, 30, 31}),
                                        {random_tensor({{9, 30, 31, 7}}, 1)});
}

TEST(Reshape, says_what_does_not_fit) {
  const auto make = [](std::vector<std::int64_t> shape) {
    return message_of([&] { make_op("reshape", {{"shape", shape}}); });
  };
  EXPECT_EQ(make({-1, -1}), "shape is (-1, -1), expected no negative extents but one -1");
  EXPECT_EQ(make({2, -3}), "shape is (2, -3), expected no negative extents but one -1");
  EXPECT_EQ(make({1, 1, 1, 1, 1, 1, 1}), "shape has 7 axes, expected at most 6");
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{2, 5}, {-1, 5}})
    EXPECT_NE(message_of([&] { Reshape(shape).infer(std::vector<Spec>{{{3, 4}}}); }).find("x=(3, 4) has 12 elements"),
              std::string::npos);
}

}  // namespace
}  // namespace fastcnn::testing
