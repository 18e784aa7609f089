#include "ops/pool2d.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"

namespace fastcnn {

PoolSpec read_pool(AttributeReader& attributes) {
  PoolSpec spec;
  if (attributes.has("output")) spec.output = read_pair(attributes, "output", {1, 1}, 1);
  if (!attributes.has("kernel")) {
    if (!spec.output) throw ValueError("kernel is missing");
    return spec;
  }
  constexpr std::int64_t anywhere = -(std::int64_t{1} << 31) + 1;
  spec.kernel = read_pair(attributes, "kernel", {1, 1}, 1);
  spec.stride = read_pair(attributes, "stride", spec.kernel, 1);
  spec.pad = read_pair(attributes, "pad", {0, 0}, 0);
  if (attributes.has("start")) spec.start = read_pair(attributes, "start", {0, 0}, anywhere);
  spec.ceil_mode = attributes.flag("ceil_mode", false);
  if (spec.pad[0] > spec.kernel[0] / 2 || spec.pad[1] > spec.kernel[1] / 2) {
    throw ValueError("pad " + describe(spec.pad) + " is more than half of kernel " + describe(spec.kernel));
  }
  if (!spec.start) return spec;
  if (spec.pad != Pair{0, 0}) {
    throw ValueError("start " + describe(*spec.start) + " and pad " + describe(spec.pad) + " are both given; start " +
                     "is where the first window begins, -pad unless given");
  }
  if (-(*spec.start)[0] >= spec.kernel[0] || -(*spec.start)[1] >= spec.kernel[1]) {
    throw ValueError("start " + describe(*spec.start) + " leaves the first window, of kernel " +
                     describe(spec.kernel) + ", outside of the input");
  }
  return spec;
}

void write_pool(Attributes& attributes, const PoolSpec& spec) {
  if (spec.output) attributes.insert_or_assign("output", as_attribute(*spec.output));
  if (spec.kernel[0] == 0) return;
  attributes.insert_or_assign("kernel", as_attribute(spec.kernel));
  attributes.insert_or_assign("stride", as_attribute(spec.stride));
  attributes.insert_or_assign("pad", as_attribute(spec.pad));
  if (spec.start) attributes.insert_or_assign("start", as_attribute(*spec.start));
  attributes.insert_or_assign("ceil_mode", spec.ceil_mode);
}

Activation read_pool_activation(AttributeReader& attributes) {
  const Activation f = read_activation(attributes, "activation", "identity");
  if (f.gradient_from_output()) return f;
  throw ValueError("pooling can't end in " + describe(f) + ", whose gradient needs its input; add it as a layer");
}

bool can_take_in(const Activation& f, const Activation& g) {
  return f.kind == Activation::Kind::identity && g.gradient_from_output();
}

std::string describe_pool(std::string_view name, const PoolSpec& spec) {
  const bool adaptive = spec.kernel[0] == 0;
  const Pair& size = adaptive ? *spec.output : spec.kernel;
  std::string text(adaptive ? "Adaptive" : "");
  text.append(name).append(" ").append(std::to_string(size[0])).append("x").append(std::to_string(size[1]));
  if (adaptive) return text;
  if (spec.stride != spec.kernel) text.append(", stride=").append(describe(spec.stride));
  if (spec.pad != Pair{0, 0}) text.append(", pad=").append(describe(spec.pad));
  if (spec.start) text.append(", start=").append(describe(*spec.start));
  if (spec.output) text.append(", output=").append(describe(*spec.output));
  if (spec.ceil_mode) text.append(", ceil_mode");
  return text;
}

std::string describe_pool_activation(const Activation& f) {
  return f.kind == Activation::Kind::identity ? "" : ", " + describe(f);
}

Spec infer_pool(const PoolSpec& spec, Specs x) {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const Shape& shape = x[0].shape;
  if (shape[2] == 0 || shape[3] == 0) throw ShapeError("input has no pixels: " + shape.str(), 0);
  const Pooling p = slide_pool(spec, shape, {});
  return {{shape[0], shape[1], p.h.out, p.w.out}, x[0].dtype};
}

PoolAxis slide_pool_axis(const PoolSpec& spec, std::size_t i, std::int64_t in, std::string_view name) {
  const auto input = [&](const std::string& from = "") {
    return "input of " + std::to_string(in) + from + " along the " + std::string(name);
  };
  PoolAxis axis{.in = in,
                .out = spec.output ? (*spec.output)[i] : 0,
                .kernel = spec.kernel[i],
                .stride = spec.stride[i],
                .start = spec.start ? (*spec.start)[i] : -spec.pad[i],
                .padded_end = in + spec.pad[i]};
  if (axis.kernel == 0) return axis;
  if (axis.start >= in)
    throw ShapeError("start of " + std::to_string(axis.start) + " is beyond the " + input());
  if (!spec.output) {
    const std::int64_t extent = axis.padded_end - axis.start;
    const std::int64_t slack = extent - axis.kernel + (spec.ceil_mode ? axis.stride - 1 : 0);
    if (slack < 0) {
      std::string from;
      if (spec.pad[i] > 0) from = " padded to " + std::to_string(extent);
      if (spec.start) from = " from " + std::to_string(axis.start) + " on";
      throw ShapeError("kernel of " + std::to_string(axis.kernel) + " is larger than the " + input(from));
    }
    axis.out = slack / axis.stride + 1;
    if (axis.start + (axis.out - 1) * axis.stride >= in) --axis.out;
  }
  const std::int64_t last = axis.start + (axis.out - 1) * axis.stride;
  if (last >= in) {
    throw ShapeError("the last of " + std::to_string(axis.out) + " windows begins at " + std::to_string(last) +
                     ", beyond the " + input());
  }
  return axis;
}

Pooling slide_pool(const PoolSpec& spec, const Shape& x, PoolKind kind) {
  return {.h = slide_pool_axis(spec, 0, x[2], "height"),
          .w = slide_pool_axis(spec, 1, x[3], "width"),
          .channels = x[1],
          .kind = kind};
}

std::size_t pool_winners_bytes(const Pooling& p, std::int64_t images) {
  const std::size_t size = winners_fit_bytes(p) ? 1 : 4;
  return static_cast<std::size_t>(images * p.h.out * p.w.out * p.channels + pool_index_slack) * size;
}

}  // namespace fastcnn
