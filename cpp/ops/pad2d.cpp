#include "ops/pad2d.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

constexpr std::string_view names[] = {"constant", "reflect", "replicate"};

Pad2d::Mode mode_of(std::string_view name) {
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (names[i] == name) return static_cast<Pad2d::Mode>(i);
  throw ValueError("unknown mode \"" + std::string(name) + "\", expected constant, reflect or replicate");
}

}  // namespace

Pad2d::Pad2d(const Options& options) : options_(options) {
  for (const std::int64_t amount : options.amounts)
    if (amount < -(1 << 30) || amount > 1 << 30)
      throw ValueError("padding is " + std::to_string(amount) + ", expected at most 2^30");
  if (options.mode != Mode::constant && options.value != 0)
    throw ValueError(std::string(names[static_cast<std::size_t>(options.mode)]) + " padding takes no value");
}

OpPtr Pad2d::make(AttributeReader& attributes) {
  Options options;
  const std::vector<std::int64_t> amounts = attributes.integers("padding");
  if (amounts.size() != 4)
    throw ValueError("padding has " + std::to_string(amounts.size()) +
                     " numbers, expected left, right, top and bottom");
  std::ranges::copy(amounts, options.amounts.begin());
  options.mode = mode_of(attributes.text("mode", "constant"));
  options.value = attributes.real("value", 0.0);
  return std::make_shared<Pad2d>(options);
}

Attributes Pad2d::attributes() const {
  return {{"padding", std::vector<std::int64_t>(options_.amounts.begin(), options_.amounts.end())},
          {"mode", std::string(names[static_cast<std::size_t>(options_.mode)])},
          {"value", options_.value}};
}

std::string Pad2d::describe(Specs) const {
  const auto& [left, right, top, bottom] = options_.amounts;
  std::ostringstream text;
  text << "Pad (" << left << ", " << right << ", " << top << ", " << bottom << ")";
  if (options_.mode != Mode::constant) text << ", " << names[static_cast<std::size_t>(options_.mode)];
  if (options_.value != 0) text << ", value=" << options_.value;
  return text.str();
}

std::vector<Spec> Pad2d::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const auto& [left, right, top, bottom] = options_.amounts;
  const Shape& in = x[0].shape;
  const std::int64_t h = in[2] + top + bottom, w = in[3] + left + right;
  if (std::min({h, w, in[2] + std::min(top, bottom), in[3] + std::min(left, right)}) < 0)
    throw ShapeError("cutting " + describe(x) + " from x=" + in.str() + " leaves nothing");
  const std::int64_t max_h = std::max(top, bottom), max_w = std::max(left, right);
  if (options_.mode == Mode::reflect && ((max_h > 0 && max_h >= in[2]) || (max_w > 0 && max_w >= in[3])))
    throw ShapeError("reflect padding must be smaller than the image, got " + describe(x) + " of x=" + in.str());
  if (options_.mode == Mode::replicate && (in[2] == 0 || in[3] == 0) && h > 0 && w > 0)
    throw ShapeError("replicate padding has nothing to repeat in x=" + in.str());
  return {Spec{{in[0], in[1], h, w}, x[0].dtype}};
}

std::int64_t Pad2d::source(std::int64_t i, std::int64_t before, std::int64_t extent) const {
  const std::int64_t at = i - before;
  if (at >= 0 && at < extent) return at;
  switch (options_.mode) {
    case Mode::constant: return -1;
    case Mode::reflect: return at < 0 ? -at : 2 * (extent - 1) - at;
    case Mode::replicate: return at < 0 ? 0 : extent - 1;
  }
  return -1;
}

}  // namespace fastcnn
