#include "ops/pool_channels.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr PoolChannels::make(AttributeReader& attributes) {
  if (!attributes.has("size")) throw ValueError("size is missing");
  // Numbers of the winners have 16 bits.
  constexpr std::int64_t max = 1 << 16;
  const auto number = [&](std::string_view name, std::int64_t fallback, std::int64_t min) {
    const std::int64_t value = attributes.integer(name, fallback);
    if (value >= min && value <= max) return Pair{value, value};
    throw ValueError(std::string(name) + " is " + std::to_string(value) + ", expected " + std::to_string(min) +
                     " to " + std::to_string(max));
  };
  PoolSpec windows;
  windows.kernel = number("size", 1, 1);
  windows.stride = number("stride", windows.kernel[0], 1);
  if (attributes.has("start")) windows.start = number("start", 0, 1 - windows.kernel[0]);
  if (attributes.has("output")) windows.output = number("output", 1, 1);
  windows.ceil_mode = attributes.flag("ceil_mode", false);
  const std::string pool = attributes.text("pool", "max");
  if (pool != "max" && pool != "avg") throw ValueError("pool is \"" + pool + "\", expected \"max\" or \"avg\"");
  return std::make_shared<PoolChannels>(windows, pool == "max" ? PoolKind::max : PoolKind::clipped_average);
}

Attributes PoolChannels::attributes() const {
  Attributes attributes{{"pool", std::string(kind_ == PoolKind::max ? "max" : "avg")},
                        {"size", windows_.kernel[0]},
                        {"stride", windows_.stride[0]},
                        {"ceil_mode", windows_.ceil_mode}};
  if (windows_.start) attributes.insert_or_assign("start", (*windows_.start)[0]);
  if (windows_.output) attributes.insert_or_assign("output", (*windows_.output)[0]);
  return attributes;
}

std::string PoolChannels::describe(Specs) const {
  std::string text = kind_ == PoolKind::max ? "MaxPoolChannels " : "AvgPoolChannels ";
  text.append(std::to_string(windows_.kernel[0]));
  if (windows_.stride != windows_.kernel) text.append(", stride=").append(fastcnn::describe(windows_.stride));
  if (windows_.start) text.append(", start=").append(fastcnn::describe(*windows_.start));
  if (windows_.output) text.append(", output=").append(fastcnn::describe(*windows_.output));
  if (windows_.ceil_mode) text.append(", ceil_mode");
  return text;
}

std::vector<Spec> PoolChannels::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  Shape shape = x[0].shape;
  if (shape.rank() != 2 && shape.rank() != 4)
    throw ShapeError("input has rank " + std::to_string(shape.rank()) + ", expected 4 (n, c, h, w) or 2 (n, c); got " +
                         shape.str(),
                     0);
  shape[1] = axis(shape).out;
  return {Spec{shape, x[0].dtype}};
}

Needs PoolChannels::backward_needs(Specs x) const {
  if (kind_ != PoolKind::max) return {};
  return {.saved_bytes = static_cast<std::size_t>(infer(x)[0].shape.numel()) * sizeof(std::uint16_t)};
}

}  // namespace fastcnn
