#include "ops/pixel_shuffle.h"

#include <string>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

PixelShuffle::Order order_of(std::string_view name) {
  if (name == "crd") return PixelShuffle::Order::crd;
  if (name == "dcr") return PixelShuffle::Order::dcr;
  throw ValueError("unknown order \"" + std::string(name) + "\", expected crd or dcr");
}

}  // namespace

PixelShuffle::PixelShuffle(std::int64_t factor, Order order, bool inverse)
    : factor_(factor), order_(order), inverse_(inverse) {
  if (factor < 1) throw ValueError("factor is " + std::to_string(factor) + ", expected at least 1");
}

OpPtr PixelShuffle::make(AttributeReader& attributes) {
  const std::int64_t factor = attributes.integer("factor", 0);
  const Order order = order_of(attributes.text("order", "crd"));
  return std::make_shared<PixelShuffle>(factor, order, attributes.flag("inverse", false));
}

Attributes PixelShuffle::attributes() const {
  return {{"factor", factor_}, {"order", std::string(order_ == Order::crd ? "crd" : "dcr")}, {"inverse", inverse_}};
}

std::string PixelShuffle::describe(Specs) const {
  return std::string(inverse_ ? "PixelUnshuffle " : "PixelShuffle ") + std::to_string(factor_) +
         (order_ == Order::dcr ? ", order=dcr" : "");
}

std::vector<Spec> PixelShuffle::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  const Shape& shape = x[0].shape;
  const std::int64_t block = factor_ * factor_;
  if (inverse_) {
    if (shape[2] % factor_ != 0 || shape[3] % factor_ != 0)
      throw ShapeError("input has " + std::to_string(shape[2]) + "x" + std::to_string(shape[3]) +
                           " pixels, expected multiples of " + std::to_string(factor_),
                       0);
    return {Spec{{shape[0], shape[1] * block, shape[2] / factor_, shape[3] / factor_}, x[0].dtype}};
  }
  if (shape[1] % block != 0)
    throw ShapeError("input has " + std::to_string(shape[1]) + (shape[1] == 1 ? " channel" : " channels") +
                         ", expected a multiple of " + std::to_string(block) + ", the factor squared",
                     0);
  return {Spec{{shape[0], shape[1] / block, shape[2] * factor_, shape[3] * factor_}, x[0].dtype}};
}

}  // namespace fastcnn
