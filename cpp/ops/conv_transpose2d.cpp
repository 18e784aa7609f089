#include "ops/conv_transpose2d.h"

#include <algorithm>

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"
#include "ops/fused_epilogue.h"

namespace fastcnn {

ConvTranspose2d::ConvTranspose2d(Options options) : options_(std::move(options)) {
  if (options_.groups < 1)
    throw ValueError("groups is " + std::to_string(options_.groups) + ", expected at least 1");
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t most = std::max(options_.stride[axis], options_.dilation[axis]) - 1;
    if (options_.output_pad[axis] > most)
      throw ValueError("output_pad is " + std::to_string(options_.output_pad[axis]) + ", expected at most " +
                       std::to_string(most) + ", less than stride or dilation");
  }
  if (!options_.activation.gradient_from_output()) {
    throw ValueError("conv_transpose2d can't end in " + fastcnn::describe(options_.activation) +
                     ", whose gradient needs its input; add it as a layer");
  }
}

OpPtr ConvTranspose2d::make(AttributeReader& attributes) {
  Options options;
  options.stride = read_pair(attributes, "stride", {1, 1}, 1);
  options.pad = read_pair(attributes, "pad", {0, 0}, 0);
  options.output_pad = read_pair(attributes, "output_pad", {0, 0}, 0);
  options.dilation = read_pair(attributes, "dilation", {1, 1}, 1);
  options.groups = attributes.integer("groups", 1);
  options.algorithm = attributes.text("algorithm", "auto");
  options.activation = read_activation(attributes, "activation", "identity");
  return std::make_shared<ConvTranspose2d>(std::move(options));
}

Attributes ConvTranspose2d::attributes() const {
  Attributes attributes{{"stride", as_attribute(options_.stride)},         {"pad", as_attribute(options_.pad)},
                        {"output_pad", as_attribute(options_.output_pad)}, {"dilation", as_attribute(options_.dilation)},
                        {"groups", options_.groups},                       {"algorithm", options_.algorithm}};
  write_activation(attributes, "activation", options_.activation);
  return attributes;
}

std::string ConvTranspose2d::describe(Specs x) const {
  std::string text = "ConvTranspose2d";
  if (x.size() > 1 && x[1].shape.rank() == 4) {
    const Shape& w = x[1].shape;
    text.append(" ").append(std::to_string(w[0])).append("→").append(std::to_string(w[1] * options_.groups));
    text.append(", ").append(std::to_string(w[2])).append("x").append(std::to_string(w[3]));
  }
  if (options_.stride != Pair{1, 1}) text += ", stride=" + fastcnn::describe(options_.stride);
  if (options_.pad != Pair{0, 0}) text += ", pad=" + fastcnn::describe(options_.pad);
  if (options_.output_pad != Pair{0, 0}) text += ", output_pad=" + fastcnn::describe(options_.output_pad);
  if (options_.dilation != Pair{1, 1}) text += ", dilation=" + fastcnn::describe(options_.dilation);
  if (options_.groups > 1) text += ", groups=" + std::to_string(options_.groups);
  if (options_.activation.kind != Activation::Kind::identity)
    text += ", " + fastcnn::describe(options_.activation);
  return text;
}

Conv2dExtents ConvTranspose2d::extents(const Shape& x, const Shape& w) const {
  const auto extent = [&](std::size_t axis, const char* name) {
    const int at = 2 + static_cast<int>(axis);
    if (x[at] == 0) throw ShapeError("input has " + std::string(name) + " 0", 0);
    const std::int64_t out = (x[at] - 1) * options_.stride[axis] - 2 * options_.pad[axis] +
                             (w[at] - 1) * options_.dilation[axis] + 1 + options_.output_pad[axis];
    if (out < 1)
      throw ShapeError("output would have " + std::string(name) + " " + std::to_string(out) + ": pad=" +
                       std::to_string(options_.pad[axis]) + " takes away all of it");
    return out;
  };
  Conv2dExtents e;
  static_cast<Windows2d&>(e) = {.h_in = extent(0, "height"),
                                .w_in = extent(1, "width"),
                                .h_out = x[2],
                                .w_out = x[3],
                                .k_h = w[2],
                                .k_w = w[3],
                                .stride_h = options_.stride[0],
                                .stride_w = options_.stride[1],
                                .pad_h = options_.pad[0],
                                .pad_w = options_.pad[1],
                                .dilation_h = options_.dilation[0],
                                .dilation_w = options_.dilation[1]};
  e.n = x[0];
  e.c_in = w[1] * options_.groups;
  e.c_out = w[0];
  e.groups = options_.groups;
  return e;
}

std::vector<Spec> ConvTranspose2d::infer(Specs x) const {
  check_inputs(x, 2, 3, "x, w and optionally b");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  check_same_dtype(x[1], "weight", x[0], "input");
  const Shape& w = x[1].shape;
  check_rank(x[1], 4, "(c_in, c_out/groups, k_h, k_w)", "weight");
  if (w.numel() == 0) throw ShapeError("weight is empty: " + w.str());
  const auto channels = [](std::int64_t count) {
    return std::to_string(count) + (count == 1 ? " channel" : " channels");
  };
  if (x[0].shape[1] != w[0])
    throw ShapeError("input has " + channels(x[0].shape[1]) + ", expected " + std::to_string(w[0]), 0);
  if (w[0] % options_.groups != 0)
    throw ShapeError(channels(w[0]) + " of input can't be divided into " + std::to_string(options_.groups) +
                     " groups");
  const Conv2dExtents p = extents(x[0].shape, w);
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "bias", x[0], "input");
    if (x[2].shape != Shape{p.c_in})
      throw ShapeError("bias has shape " + x[2].shape.str() + ", expected " + Shape{p.c_in}.str());
  }
  return {Spec{{p.n, p.c_in, p.h_in, p.w_in}, x[0].dtype}};
}

Needs ConvTranspose2d::backward_needs(Specs) const {
  return {.x = 0b11, .y = !options_.activation.gradient_is_constant()};
}

std::int64_t ConvTranspose2d::macs(Specs x) const {
  const Conv2dExtents p = extents(x[0].shape, x[1].shape);
  return p.pixels() * p.weights();
}

OpPtr ConvTranspose2d::fused_with(const Epilogue& epilogue, Specs) const {
  const std::optional<Options> options = with_activation(options_, epilogue);
  return options ? std::make_shared<ConvTranspose2d>(*options) : nullptr;
}

}  // namespace fastcnn
