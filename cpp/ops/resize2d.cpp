#include "ops/resize2d.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "core/error.h"
#include "ops/checks.h"
#include "ops/window.h"

namespace fastcnn {
namespace {

constexpr std::string_view modes[] = {"nearest", "bilinear"};
constexpr std::string_view coordinates[] = {"half_pixels", "align_corners", "centred"};

template <class Enum>
Enum value_of(std::string_view what, std::string_view name, std::span<const std::string_view> names) {
  std::string known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    known += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + std::string(names[i]);
  }
  throw ValueError("unknown " + std::string(what) + " \"" + std::string(name) + "\", expected " + known);
}

}  // namespace

Resize2d::Resize2d(const Options& options) : options_(options) {
  for (const std::int64_t extent : options.output)
    if (extent < 1) throw ValueError("output is " + std::to_string(extent) + ", expected at least 1");
  for (const double scale : options.scale)
    if (!(scale >= 0) || !std::isfinite(scale))
      throw ValueError("scale is " + std::to_string(scale) + ", expected a positive number");
  if (options.mode == Mode::nearest && options.coordinates != Coordinates::half_pixels)
    throw ValueError("nearest takes no coordinates, got " +
                     std::string(coordinates[static_cast<std::size_t>(options.coordinates)]));
}

OpPtr Resize2d::make(AttributeReader& attributes) {
  Options options;
  options.output = attributes.pair("output", 0, 1);
  options.mode = value_of<Mode>("mode", attributes.text("mode", "nearest"), modes);
  options.coordinates =
      value_of<Coordinates>("coordinates", attributes.text("coordinates", "half_pixels"), coordinates);
  const std::vector<double> scale = attributes.reals("scale");
  if (scale.size() == 2)
    options.scale = {scale[0], scale[1]};
  else if (!scale.empty())
    throw ValueError("scale has " + std::to_string(scale.size()) + " numbers, expected two: of height and width");
  return std::make_shared<Resize2d>(options);
}

Attributes Resize2d::attributes() const {
  return {{"output", as_attribute(options_.output)},
          {"mode", std::string(modes[static_cast<std::size_t>(options_.mode)])},
          {"coordinates", std::string(coordinates[static_cast<std::size_t>(options_.coordinates)])},
          {"scale", std::vector<double>(options_.scale.begin(), options_.scale.end())}};
}

std::string Resize2d::describe(Specs) const {
  std::string text = "Resize to " + std::to_string(options_.output[0]) + "×" + std::to_string(options_.output[1]) +
                     ", " + std::string(modes[static_cast<std::size_t>(options_.mode)]);
  if (options_.coordinates != Coordinates::half_pixels)
    text += ", " + std::string(coordinates[static_cast<std::size_t>(options_.coordinates)]);
  return text;
}

std::vector<Spec> Resize2d::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const Shape& in = x[0].shape;
  if (in[2] < 1 || in[3] < 1) throw ShapeError("an image without pixels can't be resized; x=" + in.str());
  return {Spec{{in[0], in[1], options_.output[0], options_.output[1]}, x[0].dtype}};
}

Resize2d::Sample Resize2d::sample(std::int64_t i, int axis, std::int64_t in, std::int64_t out) const {
  const double given = options_.scale[static_cast<std::size_t>(axis)];
  const double scale = given > 0 ? given : static_cast<double>(in) / static_cast<double>(out);
  const auto at = static_cast<double>(i);
  if (options_.mode == Mode::nearest) {
    const std::int64_t pixel = given > 0 ? static_cast<std::int64_t>(std::floor(at * scale)) : i * in / out;
    const std::int64_t inside = std::min(pixel, in - 1);
    return {inside, inside, 0.0};
  }
  double place = 0;
  switch (options_.coordinates) {
    case Coordinates::half_pixels: place = std::max((at + 0.5) * scale - 0.5, 0.0); break;
    case Coordinates::align_corners:
      place = out > 1 ? at * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
      break;
    case Coordinates::centred: {
      const double centre = (static_cast<double>(in) - static_cast<double>(out) * scale) / 2;
      place = std::max(std::min(static_cast<double>(in) - 1.01, at * scale + centre), 0.0);
      break;
    }
  }
  const std::int64_t first = std::min(static_cast<std::int64_t>(place), in - 1);
  const std::int64_t second = std::min(first + 1, in - 1);
  return {first, second, second > first ? place - static_cast<double>(first) : 0.0};
}

void Resize2d::fill_samples(const Shape& x, const Shape& y, Sample* samples) const {
  for (int axis = 0; axis < 2; ++axis)
    for (std::int64_t i = 0; i < y[2 + axis]; ++i) *samples++ = sample(i, axis, x[2 + axis], y[2 + axis]);
}

}  // namespace fastcnn
