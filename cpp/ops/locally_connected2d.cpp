#include "ops/locally_connected2d.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"
#include "ops/fused_epilogue.h"

namespace fastcnn {

LocallyConnected2d::LocallyConnected2d(const Options& options) : options_(options) {
  if (options.groups < 1)
    throw ValueError("groups is " + std::to_string(options.groups) + ", expected at least 1");
  if (!options.activation.gradient_from_output()) {
    throw ValueError("locally_connected2d can't end in " + fastcnn::describe(options.activation) +
                     ", whose gradient needs its input; add it as a layer");
  }
}

OpPtr LocallyConnected2d::make(AttributeReader& attributes) {
  Options options;
  options.stride = read_pair(attributes, "stride", {1, 1}, 1);
  options.pad = read_pair(attributes, "pad", {0, 0}, 0);
  options.dilation = read_pair(attributes, "dilation", {1, 1}, 1);
  options.groups = attributes.integer("groups", 1);
  options.activation = read_activation(attributes, "activation", "identity");
  return std::make_shared<LocallyConnected2d>(options);
}

Attributes LocallyConnected2d::attributes() const {
  Attributes attributes{{"stride", as_attribute(options_.stride)},
                        {"pad", as_attribute(options_.pad)},
                        {"dilation", as_attribute(options_.dilation)},
                        {"groups", options_.groups}};
  write_activation(attributes, "activation", options_.activation);
  return attributes;
}

std::string LocallyConnected2d::describe(Specs x) const {
  std::string text = "LocallyConnected2d";
  if (x.size() > 1 && x[1].shape.rank() == 6) {
    const Shape& w = x[1].shape;
    text.append(" ").append(std::to_string(w[4] * options_.groups)).append("→").append(std::to_string(w[5]));
    text.append(", ").append(std::to_string(w[2])).append("x").append(std::to_string(w[3]));
  }
  if (options_.stride != Pair{1, 1}) text += ", stride=" + fastcnn::describe(options_.stride);
  if (options_.pad != Pair{0, 0}) text += ", pad=" + fastcnn::describe(options_.pad);
  if (options_.dilation != Pair{1, 1}) text += ", dilation=" + fastcnn::describe(options_.dilation);
  if (options_.groups > 1) text += ", groups=" + std::to_string(options_.groups);
  if (options_.activation.kind != Activation::Kind::identity)
    text += ", " + fastcnn::describe(options_.activation);
  return text;
}

Conv2dExtents LocallyConnected2d::extents(const Shape& x, const Shape& w) const {
  Conv2dExtents e;
  static_cast<Windows2d&>(e) = slide(
      {.kernel = {w[2], w[3]}, .stride = options_.stride, .pad = options_.pad, .dilation = options_.dilation}, x);
  e.n = x[0];
  e.c_in = x[1];
  e.c_out = w[5];
  e.groups = options_.groups;
  return e;
}

std::vector<Spec> LocallyConnected2d::infer(Specs x) const {
  check_inputs(x, 2, 3, "x, w and optionally b");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  check_same_dtype(x[1], "weight", x[0], "input");
  const Shape& w = x[1].shape;
  check_rank(x[1], 6, "(h_out, w_out, k_h, k_w, c_in/groups, c_out)", "weight");
  if (w.numel() == 0) throw ShapeError("weight is empty: " + w.str());
  const std::int64_t groups = options_.groups;
  if (w[5] % groups != 0)
    throw ShapeError(std::to_string(w[5]) + " channels of output can't be divided into " + std::to_string(groups) +
                     " groups");
  if (const std::int64_t c_in = x[0].shape[1]; c_in % w[4] != 0 || c_in / w[4] != groups)
    throw ShapeError("input has " + std::to_string(c_in) + " channels, expected " + std::to_string(w[4] * groups), 0);
  const Conv2dExtents p = extents(x[0].shape, w);
  const Spec y{{p.n, p.c_out, p.h_out, p.w_out}, x[0].dtype};
  if (w[0] != p.h_out || w[1] != p.w_out)
    throw ShapeError("weight has filters for " + std::to_string(w[0]) + "x" + std::to_string(w[1]) +
                     " positions, but over this input windows have " + std::to_string(p.h_out) + "x" +
                     std::to_string(p.w_out));
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "bias", x[0], "input");
    const Shape expected{1, p.c_out, p.h_out, p.w_out};
    if (x[2].shape != expected)
      throw ShapeError("bias has shape " + x[2].shape.str() + ", expected " + expected.str());
  }
  return {y};
}

Needs LocallyConnected2d::backward_needs(Specs) const {
  return {.x = 0b11, .y = !options_.activation.gradient_is_constant()};
}

std::int64_t LocallyConnected2d::macs(Specs x) const { return x[0].shape[0] * x[1].shape.numel(); }

OpPtr LocallyConnected2d::fused_with(const Epilogue& epilogue, Specs) const {
  const std::optional<Options> options = with_activation(options_, epilogue);
  return options ? std::make_shared<LocallyConnected2d>(*options) : nullptr;
}

}  // namespace fastcnn
