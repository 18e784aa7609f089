// Images with rows and columns added at their sides, or with negative amounts taken away; x (n, c, h, w). What is
// added is `value`, or what lies inside: `reflect` mirrors the image at its outermost pixels, which are not repeated,
// `replicate` repeats them. Definitions are PyTorch's.
#pragma once

#include <array>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Pad2d final : public Op {
 public:
  enum class Mode { constant, reflect, replicate };
  struct Options {
    std::array<std::int64_t, 4> amounts{};  // left, right, top, bottom, as PyTorch's pad takes them
    Mode mode = Mode::constant;
    double value = 0;
  };

  // Throws ValueError for amounts beyond 2^30, and for a value where the mode has none.
  explicit Pad2d(const Options& options);
  // padding (four integers), mode ("constant", "reflect" or "replicate"), value (0).
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }
  // Which row (column) of x, of `extent`, that of y is; -1 for `value`. `before` rows were added.
  std::int64_t source(std::int64_t i, std::int64_t before, std::int64_t extent) const;

  std::string_view kind() const override { return "pad2d"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool is_cheap() const override { return true; }

 private:
  Options options_;
};

}  // namespace fastcnn
