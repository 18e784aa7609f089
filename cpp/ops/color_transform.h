// Pixels (r, g, b), the channels of x (n, 3, h, w), in another colour space, as cuda-convnet2's layers have it:
//   yuv  Y = 0.2126 R + 0.7152 G + 0.0722 B, and U, V of the same matrix (ITU-R BT.709)
//   lab  CIE 1931 XYZ over the white of r = g = b = 1, then L*a*b* of 1976; for r, g, b from 0 to 1. L* is 0 to 100,
//        or with `center` -50 to 50.
// Unlike there, both have gradients.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class ColorTransform final : public Op {
 public:
  enum class Space { yuv, lab };

  // Throws ValueError for `center` without lab.
  explicit ColorTransform(Space to, bool center = false);
  // to ("yuv", "lab"), center (false).
  static OpPtr make(AttributeReader& attributes);

  Space to() const { return to_; }
  bool centers() const { return center_; }

  std::string_view kind() const override { return "color_transform"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.x = to_ == Space::lab ? 1u : 0u}; }

 private:
  Space to_;
  bool center_;
};

}  // namespace fastcnn
