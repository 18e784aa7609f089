#include "ops/resize2d.h"

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

using Mode = Resize2d::Mode;
using Coordinates = Resize2d::Coordinates;

std::vector<Resize2d::Options> variants(std::array<std::int64_t, 2> output) {
  return {{output, Mode::nearest},
          {output, Mode::bilinear},
          {output, Mode::bilinear, Coordinates::align_corners},
          {output, Mode::bilinear, Coordinates::centred},
          {output, Mode::bilinear, Coordinates::half_pixels, {0.7, 1.3}},
          {output, Mode::bilinear, Coordinates::centred, {0.7, 1.3}},
          {output, Mode::nearest, Coordinates::half_pixels, {0.7, 0.4}}};
}

constexpr std::array<std::int64_t, 2> outputs[] = {{4, 5}, {8, 15}, {3, 2}, {1, 1}, {7, 3}};

// Where row i of y lies in x, by the definitions in resize2d.h.
double place(const Resize2d::Options& o, std::int64_t i, int axis, double in) {
  const auto out = static_cast<double>(o.output[static_cast<std::size_t>(axis)]);
  const double given = o.scale[static_cast<std::size_t>(axis)], scale = given > 0 ? given : in / out;
  const auto at = static_cast<double>(i);
  if (o.mode == Mode::nearest) return std::min(std::floor(at * scale + (given > 0 ? 0 : 1e-9)), in - 1);
  if (o.coordinates == Coordinates::half_pixels) return std::clamp((at + 0.5) * scale - 0.5, 0.0, in - 1);
  if (o.coordinates == Coordinates::align_corners) return out == 1 ? 0 : at * (in - 1) / (out - 1);
  return std::clamp((at - out / 2) * scale + in / 2, 0.0, std::max(in - 1.01, 0.0));
}

TEST(Resize2d, samples_where_its_coordinates_say) {
  const Tensor x = random_tensor({{2, 3, 4, 5}, DType::float64}, 1);
  for (const auto& output : outputs)
    for (const Resize2d::Options& o : variants(output)) {
      const Resize2d op(o);
      const Tensor y = OpRunner(std::make_shared<Resize2d>(o), {x}).forward();
      for_each_element(y.spec().shape, [&](std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
        double expected = 0;  // each pixel's weight is what is left of 1 beside its distance, along both axes
        for (std::int64_t i = 0; i < 4; ++i)
          for (std::int64_t j = 0; j < 5; ++j) {
            const double dv = std::abs(place(o, h, 0, 4) - static_cast<double>(i));
            const double du = std::abs(place(o, w, 1, 5) - static_cast<double>(j));
            expected += std::max(0.0, 1 - dv) * std::max(0.0, 1 - du) * at(x, n, c, i, j);
          }
        ASSERT_NEAR(at(y, n, c, h, w), expected, 1e-12) << op.describe({}) << " " << h << " " << w;
      });
    }
}

TEST(Resize2d, to_the_same_size_changes_nothing) {
  const Tensor x = random_tensor({{2, 3, 4, 5}}, 1);
  for (const Coordinates coordinates : {Coordinates::half_pixels, Coordinates::align_corners}) {
    const auto op = std::make_shared<Resize2d>(Resize2d::Options{{4, 5}, Mode::bilinear, coordinates});
    expect_same_bytes(OpRunner(op, {x}).forward(), x, op->describe({}));
  }
}

TEST(Resize2d, gradients_match_finite_differences) {
  for (const auto& output : outputs)
    for (const Resize2d::Options& o : variants(output))
      expect_gradients_match_finite_differences(std::make_shared<Resize2d>(o),
                                                {random_tensor({{2, 3, 4, 5}, DType::float64}, 2)});
}

TEST(Resize2d, takes_images_of_one_pixel_and_empty_batches) {
  for (const Resize2d::Options& o : variants({3, 2})) {
    const Tensor x = random_tensor({{1, 2, 1, 1}, DType::float64}, 1);
    const Tensor y = OpRunner(std::make_shared<Resize2d>(o), {x}).forward();
    for (std::int64_t i = 0; i < 12; ++i) EXPECT_EQ(element(y, i), element(x, i % 2));
    expect_gradients_match_finite_differences(std::make_shared<Resize2d>(o), {x});
    const Tensor none({{0, 2, 5, 5}});
    EXPECT_EQ(OpRunner(std::make_shared<Resize2d>(o), {none}).forward().spec().shape, (Shape{0, 2, 3, 2}));
  }
}

TEST(Resize2d, has_the_same_bytes_at_any_thread_count) {
  for (const Resize2d::Options& o : variants({61, 40}))
    expect_same_bytes_at_any_thread_count(std::make_shared<Resize2d>(o),
                                          {random_tensor({{2, 7, 50, 51}}, 1)});
}

TEST(Resize2d, says_what_does_not_fit) {
  const auto make = [](Attributes attributes) {
    attributes.emplace("output", std::vector<std::int64_t>{2, 3});
    return message_of([&] { make_op("resize2d", attributes); });
  };
  EXPECT_EQ(make({{"mode", "bicubic"}}), "unknown mode \"bicubic\", expected nearest or bilinear");
  EXPECT_EQ(make({{"coordinates", "corners"}}),
            "unknown coordinates \"corners\", expected half_pixels, align_corners or centred");
  EXPECT_EQ(make({{"coordinates", "centred"}}), "nearest takes no coordinates, got centred");
  EXPECT_EQ(make({{"scale", std::vector<double>{1.0}}}), "scale has 1 numbers, expected two: of height and width");
  EXPECT_EQ(make({{"scale", std::vector<double>{1.0, -1.0}}}), "scale is -1.000000, expected a positive number");
  EXPECT_EQ(message_of([] { Resize2d(Resize2d::Options{{2, 2}}).infer(std::vector<Spec>{{{1, 2, 0, 4}}}); }),
            "an image without pixels can't be resized; x=(1, 2, 0, 4)");
  EXPECT_EQ(Resize2d({{2, 3}, Mode::bilinear, Coordinates::centred}).describe({}), "Resize to 2×3, bilinear, centred");
}

}  // namespace
}  // namespace fastcnn::testing
