#include "ops/pool2d.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

WindowSpec read_pool(Attributes& attributes) {
  if (!attributes.has("kernel")) throw ValueError("kernel is missing");
  WindowSpec spec;
  spec.kernel = read_pair(attributes, "kernel", {1, 1}, 1);
  spec.stride = read_pair(attributes, "stride", spec.kernel, 1);
  spec.pad = read_pair(attributes, "pad", {0, 0}, 0);
  spec.ceil_mode = attributes.flag("ceil_mode", false);
  if (spec.pad[0] > spec.kernel[0] / 2 || spec.pad[1] > spec.kernel[1] / 2) {
    throw ValueError("pad " + describe(spec.pad) + " is more than half of kernel " + describe(spec.kernel));
  }
  return spec;
}

std::string describe_pool(std::string_view name, const WindowSpec& spec) {
  std::string text(name);
  text.append(" ").append(std::to_string(spec.kernel[0])).append("x").append(std::to_string(spec.kernel[1]));
  if (spec.stride != spec.kernel) text.append(", stride=").append(describe(spec.stride));
  if (spec.pad != Pair{0, 0}) text.append(", pad=").append(describe(spec.pad));
  if (spec.ceil_mode) text.append(", ceil_mode");
  return text;
}

Spec infer_pool(const WindowSpec& spec, Specs x) {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const Windows2d g = slide(spec, x[0].shape);
  return {{x[0].shape[0], x[0].shape[1], g.h_out, g.w_out}, x[0].dtype};
}

}  // namespace fastcnn
