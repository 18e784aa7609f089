#include "ops/conv2d.h"

#include "core/error.h"
#include "ops/activation.h"
#include "ops/channel_norm.h"
#include "ops/checks.h"
#include "ops/fused_epilogue.h"

namespace fastcnn {
namespace {

std::string channels(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " channel" : " channels");
}

}  // namespace

Conv2d::Conv2d(Options options) : options_(std::move(options)) {
  if (options_.groups < 1)
    throw ValueError("groups is " + std::to_string(options_.groups) + ", expected at least 1");
  if (!options_.activation.gradient_from_output()) {
    throw ValueError("conv2d can't end in " + fastcnn::describe(options_.activation) +
                     ", whose gradient needs its input; add it as a layer");
  }
}

OpPtr Conv2d::make(AttributeReader& attributes) {
  Options options;
  options.stride = read_pair(attributes, "stride", {1, 1}, 1);
  options.pad = read_pair(attributes, "pad", {0, 0}, 0);
  options.dilation = read_pair(attributes, "dilation", {1, 1}, 1);
  options.groups = attributes.integer("groups", 1);
  options.algorithm = attributes.text("algorithm", "auto");
  options.activation = read_activation(attributes, "activation", "identity");
  options.norm = read_channel_norm(attributes);
  options.residual = attributes.flag("residual", false);
  return std::make_shared<Conv2d>(std::move(options));
}

Attributes Conv2d::attributes() const {
  Attributes attributes{{"stride", as_attribute(options_.stride)},
                        {"pad", as_attribute(options_.pad)},
                        {"dilation", as_attribute(options_.dilation)},
                        {"groups", options_.groups},
                        {"algorithm", options_.algorithm},
                        {"residual", options_.residual}};
  write_activation(attributes, "activation", options_.activation);
  write_channel_norm(attributes, options_.norm);
  return attributes;
}

std::string Conv2d::describe(Specs x) const {
  std::string text = "Conv2d";
  if (x.size() > 1 && x[1].shape.rank() == 4) {
    const Shape& w = x[1].shape;
    text.append(" ").append(std::to_string(w[1] * options_.groups)).append("→").append(std::to_string(w[0]));
    text.append(", ").append(std::to_string(w[2])).append("x").append(std::to_string(w[3]));
  }
  if (options_.stride != Pair{1, 1}) text += ", stride=" + fastcnn::describe(options_.stride);
  if (options_.pad != Pair{0, 0}) text += ", pad=" + fastcnn::describe(options_.pad);
  if (options_.dilation != Pair{1, 1}) text += ", dilation=" + fastcnn::describe(options_.dilation);
  if (options_.groups > 1) text += ", groups=" + std::to_string(options_.groups);
  if (options_.norm) text += ", batch norm";
  if (options_.residual) text += ", add";
  if (options_.activation.kind != Activation::Kind::identity)
    text += ", " + fastcnn::describe(options_.activation);
  return text;
}

Conv2dExtents Conv2d::extents(const Shape& x, const Shape& w) const {
  Conv2dExtents e;
  static_cast<Windows2d&>(e) = slide(
      {.kernel = {w[2], w[3]}, .stride = options_.stride, .pad = options_.pad, .dilation = options_.dilation},
      x);
  e.n = x[0];
  e.c_in = x[1];
  e.c_out = w[0];
  e.groups = options_.groups;
  return e;
}

void Conv2d::check(const Spec& x, const Spec& w) const {
  check_floating(x);
  check_rank(x, 4, "(n, c, h, w)");
  check_same_dtype(w, "weight", x, "input");
  check_rank(w, 4, "(c_out, c_in/groups, k_h, k_w)", "weight");
  if (w.shape.numel() == 0) throw ShapeError("weight is empty: " + w.shape.str());
  const std::int64_t groups = options_.groups;
  if (w.shape[0] % groups != 0) {
    throw ShapeError(channels(w.shape[0]) + " of output can't be divided into " + std::to_string(groups) +
                     " groups");
  }
  if (x.shape[1] % w.shape[1] != 0 || x.shape[1] / w.shape[1] != groups) {
    throw ShapeError("input has " + channels(x.shape[1]) + ", expected " +
                     std::to_string(w.shape[1] * groups), 0);
  }
}

std::vector<Spec> Conv2d::infer(Specs x) const {
  const bool fused = options_.norm || options_.residual;
  check_inputs(x, fused ? places() : 2, places(), fused ? "x, w, b and what is fused" : "x, w, b");
  check(x[0], x[1]);
  const Conv2dExtents p = extents(x[0].shape, x[1].shape);
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "bias", x[0], "input");
    if (x[2].shape != Shape{p.c_out}) {
      throw ShapeError("bias has shape " + x[2].shape.str() + ", expected " + Shape{p.c_out}.str());
    }
  }
  if (options_.norm) check_channel_norm(x, 3, p.c_out);
  const Spec y{{p.n, p.c_out, p.h_out, p.w_out}, x[0].dtype};
  if (options_.residual) {
    check_same_dtype(x[places() - 1], "residual", x[0], "input");
    check_same_shape(x[places() - 1], "residual", y, "output");
  }
  return {y};
}

Needs Conv2d::backward_needs(Specs) const {
  return {.x = 0b11, .y = !options_.activation.gradient_is_constant()};
}

std::int64_t Conv2d::macs(Specs x) const {
  const Conv2dExtents p = extents(x[0].shape, x[1].shape);
  return p.pixels() * p.weights();
}

OpPtr Conv2d::fused_with(const Epilogue& epilogue, Specs x) const {
  const std::optional<Options> options = with_epilogue(options_, epilogue, x.size() == places());
  return options ? std::make_shared<Conv2d>(*options) : nullptr;
}

}  // namespace fastcnn
