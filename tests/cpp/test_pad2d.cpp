#include "ops/pad2d.h"

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

using Mode = Pad2d::Mode;
using Amounts = std::array<std::int64_t, 4>;

OpPtr pad(const Amounts& amounts, Mode mode = Mode::constant, double value = 0) {
  return std::make_shared<Pad2d>(Pad2d::Options{amounts, mode, value});
}

// The row or column of the image that stands at `i` of the padded one, by counting along the image; -1: outside.
std::int64_t walk(std::int64_t i, std::int64_t before, std::int64_t extent, Mode mode) {
  std::int64_t at = 0, step = 1;
  const std::int64_t distance = i - before;
  if (mode == Mode::constant) return distance < 0 || distance >= extent ? -1 : distance;
  for (std::int64_t k = 0; k < std::abs(distance); ++k) {
    const std::int64_t next = at + (distance < 0 && k == 0 ? 1 : step);
    if (next < extent) {
      at = mode == Mode::replicate && distance < 0 ? 0 : next;
    } else if (mode == Mode::reflect) {
      step = -1;
      at += step;
    }
  }
  return at;
}

const Amounts all_amounts[] = {{0, 0, 0, 0}, {1, 2, 3, 2}, {3, 0, 0, 1}, {-1, 2, 0, -2}, {-1, -2, -1, -1}};

TEST(Pad2d, adds_the_value_or_what_lies_inside) {
  const Tensor x = random_tensor({{2, 3, 4, 5}}, 1);
  for (const Mode mode : {Mode::constant, Mode::reflect, Mode::replicate})
    for (const Amounts& a : all_amounts) {
      const double value = mode == Mode::constant ? 2.5 : 0;
      const OpPtr op = pad(a, mode, value);
      const Tensor y = OpRunner(op, {x}).forward();
      EXPECT_EQ(y.spec().shape, (Shape{2, 3, 4 + a[2] + a[3], 5 + a[0] + a[1]}));
      for_each_element(y.spec().shape, [&](std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
        const std::int64_t i = walk(h, a[2], 4, mode), j = walk(w, a[0], 5, mode);
        const double expected = i < 0 || j < 0 ? value : at(x, n, c, i, j);
        ASSERT_EQ(at(y, n, c, h, w), expected) << op->describe({}) << " " << h << " " << w;
      });
    }
}

TEST(Pad2d, cuts_and_pads_beyond_the_image) {
  const Tensor x = random_tensor({{1, 2, 3, 3}}, 1);
  EXPECT_EQ(OpRunner(pad({-3, 0, 0, 0}), {x}).forward().spec().shape, (Shape{1, 2, 3, 0}));
  const Tensor y = OpRunner(pad({-3, 4, 0, 0}, Mode::constant, 1), {x}).forward();
  for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i) EXPECT_EQ(element(y, i), 1);
}

TEST(Pad2d, gradients_match_finite_differences) {
  for (const Mode mode : {Mode::constant, Mode::reflect, Mode::replicate})
    for (const Amounts& a : all_amounts)
      expect_gradients_match_finite_differences(pad(a, mode), {random_tensor({{2, 3, 4, 5}, DType::float64}, 2)});
}

TEST(Pad2d, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(pad({2, 3, 1, 4}, Mode::reflect), {random_tensor({{3, 16, 50, 51}}, 1)});
  expect_same_bytes_at_any_thread_count(pad({2, 3, 1, 4}), {Tensor({{0, 16, 5, 5}})});
}

TEST(Pad2d, says_what_does_not_fit) {
  const auto infer = [](const Amounts& a, Mode mode) {
    return message_of([&] { pad(a, mode)->infer(std::vector<Spec>{{{1, 2, 3, 4}}}); });
  };
  EXPECT_EQ(infer({0, 0, -2, -2}, Mode::constant), "cutting Pad (0, 0, -2, -2) from x=(1, 2, 3, 4) leaves nothing");
  EXPECT_EQ(infer({0, 0, 3, 0}, Mode::reflect),
            "reflect padding must be smaller than the image, got Pad (0, 0, 3, 0), reflect of x=(1, 2, 3, 4)");
  EXPECT_EQ(message_of([] { make_op("pad2d", {{"padding", std::vector<std::int64_t>{1, 2}}}); }),
            "padding has 2 numbers, expected left, right, top and bottom");
  EXPECT_EQ(message_of([] { make_op("pad2d", {{"padding", std::vector<std::int64_t>(4)}, {"mode", "circular"}}); }),
            "unknown mode \"circular\", expected constant, reflect or replicate");
  EXPECT_EQ(message_of([] { pad({1, 1, 1, 1}, Mode::reflect, 2); }), "reflect padding takes no value");
}

}  // namespace
}  // namespace fastcnn::testing
