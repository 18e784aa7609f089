#include "ops/pool2d.h"

#include "core/error.h"
#include "ops/activation.h"
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

Activation read_pool_activation(Attributes& attributes) {
  const Activation f = read_activation(attributes, "activation", "identity");
  if (f.gradient_from_output()) return f;
  throw ValueError("pooling can't end in " + describe(f) + ", whose gradient needs its input; add it as a layer");
}

bool can_take_in(const Activation& f, const Activation& g) {
  return f.kind == Activation::Kind::identity && g.gradient_from_output();
}

std::string describe_pool(std::string_view name, const WindowSpec& spec) {
  std::string text(name);
  text.append(" ").append(std::to_string(spec.kernel[0])).append("x").append(std::to_string(spec.kernel[1]));
  if (spec.stride != spec.kernel) text.append(", stride=").append(describe(spec.stride));
  if (spec.pad != Pair{0, 0}) text.append(", pad=").append(describe(spec.pad));
  if (spec.ceil_mode) text.append(", ceil_mode");
  return text;
}

std::string describe_pool_activation(const Activation& f) {
  return f.kind == Activation::Kind::identity ? "" : ", " + describe(f);
}

Spec infer_pool(const WindowSpec& spec, Specs x) {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const Windows2d g = slide(spec, x[0].shape);
  return {{x[0].shape[0], x[0].shape[1], g.h_out, g.w_out}, x[0].dtype};
}

Pooling slide_pool(const WindowSpec& spec, const Shape& x, bool count_include_pad) {
  const Windows2d g = slide(spec, x);
  return {.h = {.in = g.h_in, .out = g.h_out, .kernel = g.k_h, .stride = g.stride_h, .pad = g.pad_h},
          .w = {.in = g.w_in, .out = g.w_out, .kernel = g.k_w, .stride = g.stride_w, .pad = g.pad_w},
          .channels = x[1],
          .count_include_pad = count_include_pad};
}

std::int64_t pool_band_rows(const Pooling& p) {
  constexpr std::int64_t elements = 1 << 14;  // with several windows per pixel, as many sums
  const std::int64_t windows = most_windows_of_pixels(p.h, 1) * most_windows_of_pixels(p.w, 1);
  const std::int64_t row = p.w.in * p.channels * std::max<std::int64_t>(1, windows / 4);
  return std::clamp<std::int64_t>(elements / std::max<std::int64_t>(1, row), 1, p.h.in);
}

ScratchSize pool_scratch(const Pooling& p, const Activation& f, DType dtype) {
  if (f.kind == Activation::Kind::identity) return {};
  const std::int64_t rows = most_windows_of_pixels(p.h, pool_band_rows(p));
  return {.per_thread = static_cast<std::size_t>(rows * p.w.out * p.channels) * size_of(dtype)};
}

}  // namespace fastcnn
