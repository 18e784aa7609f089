#include "ops/window.h"

#include <string_view>

#include "core/error.h"

namespace fastcnn {
namespace {

struct Axis {
  std::string_view name;
  std::int64_t kernel, stride, pad, dilation;
};

std::int64_t output_extent(const Axis& axis, std::int64_t in) {
  if (in == 0) throw ShapeError("input has " + std::string(axis.name) + " 0", 0);
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
  const std::int64_t padded = in + 2 * axis.pad;
  if (padded < reach) {
    std::string kernel = "kernel of " + std::to_string(axis.kernel);
    if (axis.dilation > 1) kernel += " dilated to " + std::to_string(reach);
    std::string input = "input of " + std::to_string(in);
    if (axis.pad > 0) input += " padded to " + std::to_string(padded);
    throw ShapeError(kernel + " is larger than the " + input + " along the " + std::string(axis.name));
  }
  return (padded - reach) / axis.stride + 1;
}

}  // namespace

Pair read_pair(AttributeReader& attributes, std::string_view name, Pair fallback, std::int64_t least) {
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 1;
  const bool given = attributes.has(name);
  const Pair pair = attributes.pair(name, least, least);
  if (!given) return fallback;
  for (const std::int64_t value : pair) {
    if (value > most) {
      throw ValueError(std::string(name) + " is " + std::to_string(value) + ", expected at most " +
                       std::to_string(most));
    }
  }
  return pair;
}

Attribute as_attribute(const Pair& pair) { return std::vector<std::int64_t>(pair.begin(), pair.end()); }

std::string describe(const Pair& pair) {
  const std::string height = std::to_string(pair[0]);
  return pair[0] == pair[1] ? height : height + "x" + std::to_string(pair[1]);
}

Windows2d slide(const WindowSpec& spec, const Shape& x) {
  const Axis height{"height", spec.kernel[0], spec.stride[0], spec.pad[0], spec.dilation[0]};
  const Axis width{"width", spec.kernel[1], spec.stride[1], spec.pad[1], spec.dilation[1]};
  return {.h_in = x[2],
          .w_in = x[3],
          .h_out = output_extent(height, x[2]),
          .w_out = output_extent(width, x[3]),
          .k_h = height.kernel,
          .k_w = width.kernel,
          .stride_h = height.stride,
          .stride_w = width.stride,
          .pad_h = height.pad,
          .pad_w = width.pad,
          .dilation_h = height.dilation,
          .dilation_w = width.dilation};
}

}  // namespace fastcnn
