// Channels to pixels (Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
// convolutional neural network", 2016): x (n, c f f, h, w) -> y (n, c, h f, w f), ONNX's DepthToSpace. Which channel becomes
// the pixel (i, j) of a block says `order`: channel c f f + i f + j of x in "crd", as in PyTorch; (i f + j) C + c in "dcr".
// `inverse`: pixels to channels, x (n, c, h f, w f) -> y (n, c f f, h, w), ONNX's SpaceToDepth.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class PixelShuffle final : public Op {
 public:
  enum class Order { crd, dcr };

  // Throws ValueError for a factor below 1.
  PixelShuffle(std::int64_t factor, Order order = Order::crd, bool inverse = false);
  // factor (required), order ("crd" or "dcr"), inverse (false).
  static OpPtr make(AttributeReader& attributes);

  std::int64_t factor() const { return factor_; }
  Order order() const { return order_; }
  bool is_inverse() const { return inverse_; }

  std::string_view kind() const override { return "pixel_shuffle"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool is_cheap() const override { return true; }

 private:
  std::int64_t factor_;
  Order order_;
  bool inverse_;
};

}  // namespace fastcnn
