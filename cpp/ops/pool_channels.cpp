#include "ops/pool_channels.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr PoolChannels::make(Attributes& attributes) {
  if (!attributes.has("size")) throw ValueError("size is missing");
  // Numbers of the winners have 16 bits.
  constexpr std::int64_t most = 1 << 16;
  const auto number = [&](std::string_view name, std::int64_t fallback, std::int64_t least) {
    const std::int64_t value = attributes.integer(name, fallback);
    if (value >= least && value <= most) return Pair{value, value};
    throw ValueError(std::string(name) + " is " + std::to_string(value) + ", expected " + std::to_string(least) +
                     " to " + std::to_string(most));
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

std::string PoolChannels::describe(Specs) const {
  std::string text = kind_ == PoolKind::max ? "MaxPoolChannels " : "AvgPoolChannels ";
  text.append(std::to_string(windows_.kernel[0]));
  if (windows_.stride != windows_.kernel) text.append(", stride=").append(fastcnn::describe(windows_.stride));
  if (windows_.start) text.append(", start=").append(fastcnn::describe(*windows_.start));
  if (windows_.output) text.append(", output=").append(fastcnn::describe(*windows_.output));
  if (windows_.ceil_mode) text.append(", ceil_mode");
  return text;
}

Spec PoolChannels::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  Shape shape = x[0].shape;
  if (shape.rank() != 2 && shape.rank() != 4)
    throw ShapeError("input has rank " + std::to_string(shape.rank()) + ", expected 4 (n, c, h, w) or 2 (n, c); got " +
                     shape.str());
  shape[1] = axis(shape).out;
  return {shape, x[0].dtype};
}

Needs PoolChannels::backward_needs(Specs x) const {
  if (kind_ != PoolKind::max) return {};
  return {.saved_bytes = static_cast<std::size_t>(infer(x).shape.numel()) * sizeof(std::uint16_t)};
}

}  // namespace fastcnn
