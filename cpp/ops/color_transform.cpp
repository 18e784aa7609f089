#include "ops/color_transform.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

ColorTransform::ColorTransform(Space to, bool center) : to_(to), center_(center) {
  if (center && to != Space::lab) throw ValueError("center moves L*, which yuv doesn't have");
}

OpPtr ColorTransform::make(AttributeReader& attributes) {
  const std::string to = attributes.text("to", "");
  if (to != "yuv" && to != "lab") throw ValueError("unknown colour space \"" + to + "\", expected yuv or lab");
  return std::make_shared<ColorTransform>(to == "yuv" ? Space::yuv : Space::lab, attributes.flag("center", false));
}

Attributes ColorTransform::attributes() const { return {{"to", std::string(to_ == Space::yuv ? "yuv" : "lab")}, {"center", center_}}; }

std::string ColorTransform::describe(Specs) const {
  return to_ == Space::yuv ? "RGB to YUV" : center_ ? "RGB to L*a*b*, centred" : "RGB to L*a*b*";
}

std::vector<Spec> ColorTransform::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  if (x[0].shape[1] != 3)
    throw ShapeError("input has " + std::to_string(x[0].shape[1]) + " channels, expected 3: red, green and blue; x=" +
                         x[0].shape.str(),
                     0);
  return {x[0]};
}

}  // namespace fastcnn
