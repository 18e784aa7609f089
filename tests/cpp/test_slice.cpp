#include "ops/slice.h"

#include <gtest/gtest.h>

#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

// Element (n, c, h, w) of a tensor stored channels-last.
double at(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  const Shape& s = t.spec().shape;
  return element(t, ((n * s[2] + h) * s[3] + w) * s[1] + c);
}

template <class F>
void for_each_element(const Shape& s, F f) {
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t c = 0; c < s[1]; ++c)
      for (std::int64_t h = 0; h < s[2]; ++h)
        for (std::int64_t w = 0; w < s[3]; ++w) f(n, c, h, w);
}

TEST(Slice, takes_a_range_of_an_axis) {
  const Tensor x = random_tensor({{5, 7, 4, 6}}, 1);
  for (const int axis : {0, 1, 2, 3, -1}) {
    const Tensor y = OpRunner(std::make_shared<Slice>(1, 3, axis), {x}).forward();
    const int from_front = axis < 0 ? axis + 4 : axis;
    EXPECT_EQ(y.spec().shape[from_front], 2);
    for_each_element(y.spec().shape, [&](std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
      std::int64_t i[] = {n, c, h, w};
      i[from_front] += 1;
      ASSERT_EQ(at(y, n, c, h, w), at(x, i[0], i[1], i[2], i[3])) << axis;
    });
  }
}

TEST(Slice, takes_all_or_parts_of_rows) {
  const Tensor x = random_tensor({{3, 9}}, 1);
  expect_same_bytes(OpRunner(std::make_shared<Slice>(0, 9), {x}).forward(), x, "all");
  const Tensor y = OpRunner(std::make_shared<Slice>(8, 9), {x}).forward();
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(element(y, i), element(x, 9 * i + 8));
  const Tensor none({{0, 3, 4, 4}});
  EXPECT_EQ(OpRunner(std::make_shared<Slice>(0, 2), {none}).forward().spec().shape, (Shape{0, 2, 4, 4}));
}

TEST(Slice, gradients_match_finite_differences) {
  for (const int axis : {0, 1, 2, 3})
    expect_gradients_match_finite_differences(std::make_shared<Slice>(1, 3, axis),
                                              {random_tensor({{3, 5, 4, 3}, DType::float64}, 2)});
  expect_gradients_match_finite_differences(std::make_shared<Slice>(0, 2),
                                            {random_tensor({{3, 5}, DType::float64}, 2)});
}

TEST(Slice, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(std::make_shared<Slice>(3, 30), {random_tensor({{3, 31, 50, 51}}, 1)});
}

TEST(Slice, says_what_does_not_fit) {
  EXPECT_EQ(message_of([] { make_op("slice", {{"start", 2}, {"stop", 2}}); }),
            "start is 2 and stop 2, expected 0 <= start < stop");
  EXPECT_EQ(message_of([] { Slice(0, 5).infer(std::vector<Spec>{{{2, 4}}}); }),
            "stop is 5, but axis 1 has 4 elements; x=(2, 4)");
  EXPECT_EQ(Slice(1, 2).describe({}), "Slice 1:2, axis=1");
}

}  // namespace
}  // namespace fastcnn::testing
