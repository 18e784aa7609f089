// Images resampled to another size, by the nearest pixel or bilinearly; x (n, c, h, w). Where in x a pixel of y lies:
//   half_pixels    (i + 1/2) scale - 1/2, not below 0: PyTorch's align_corners=False
//   align_corners  i (in - 1) / (out - 1): the outermost pixels meet
//   centred        (i - out / 2) scale + in / 2, between 0 and in - 1.01: cuda-convnet's resize
// scale is in / out, or as given. `nearest` takes pixel floor(i scale), which is PyTorch's, and no other coordinates.
#pragma once

#include <array>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Resize2d final : public Op {
 public:
  enum class Mode { nearest, bilinear };
  enum class Coordinates { half_pixels, align_corners, centred };
  struct Options {
    std::array<std::int64_t, 2> output{};
    Mode mode = Mode::nearest;
    Coordinates coordinates = Coordinates::half_pixels;
    std::array<double, 2> scale{};  // 0: in / out
  };

  // Throws ValueError for extents below 1, for scales below 0 or not finite, and for nearest with other coordinates.
  explicit Resize2d(const Options& options);
  // output (a pair), mode ("nearest", "bilinear"), coordinates ("half_pixels", ...), scale (two numbers).
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }

  std::string_view kind() const override { return "resize2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }

  // y = x[first] (1 - weight) + x[second] weight, along one axis.
  struct Sample {
    std::int64_t first, second;
    double weight;
  };
  Sample sample(std::int64_t i, int axis, std::int64_t in, std::int64_t out) const;
  // The samples of the rows, then those of the columns.
  void fill_samples(const Shape& x, const Shape& y, Sample* samples) const;

 private:
  Options options_;
};

}  // namespace fastcnn
