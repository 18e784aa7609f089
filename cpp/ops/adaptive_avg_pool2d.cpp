#include "ops/adaptive_avg_pool2d.h"

#include "core/error.h"
#include "ops/checks.h"
#include "ops/pool2d.h"

namespace fastcnn {

OpPtr AdaptiveAvgPool2d::make(Attributes& attributes) {
  if (!attributes.has("output")) throw ValueError("output is missing");
  const Pair output = read_pair(attributes, "output", {1, 1}, 1);
  return std::make_shared<AdaptiveAvgPool2d>(output, read_pool_activation(attributes));
}

std::string AdaptiveAvgPool2d::describe(Specs) const {
  return "AdaptiveAvgPool2d " + std::to_string(output_[0]) + "x" + std::to_string(output_[1]) +
         describe_pool_activation(f_);
}

Spec AdaptiveAvgPool2d::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const Shape& shape = x[0].shape;
  if (shape[2] == 0 || shape[3] == 0) throw ShapeError("input has no pixels: " + shape.str());
  return {{shape[0], shape[1], output_[0], output_[1]}, x[0].dtype};
}

ScratchSize AdaptiveAvgPool2d::scratch(Specs x, Phase phase) const {
  return phase == Phase::backward ? pool_scratch(pooling(x[0].shape), f_, x[0].dtype) : ScratchSize{};
}

std::shared_ptr<const Op> AdaptiveAvgPool2d::fused_with(const Activation& f) const {
  return can_take_in(f_, f) ? std::make_shared<AdaptiveAvgPool2d>(output_, f) : nullptr;
}

Pooling AdaptiveAvgPool2d::pooling(const Shape& x) const {
  return {.h = {.in = x[2], .out = output_[0], .kernel = 0, .stride = 0, .pad = 0},
          .w = {.in = x[3], .out = output_[1], .kernel = 0, .stride = 0, .pad = 0},
          .channels = x[1],
          .count_include_pad = false};
}

}  // namespace fastcnn
