// A contiguous range [start, stop) of an axis, by default of the channels. Its gradient is 0 elsewhere.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Slice final : public Op {
 public:
  // Throws ValueError unless 0 <= start < stop.
  Slice(std::int64_t start, std::int64_t stop, std::int64_t axis = 1);
  // start (0), stop (required), axis (1).
  static OpPtr make(AttributeReader& attributes);

  std::int64_t start() const { return start_; }
  std::int64_t stop() const { return stop_; }
  std::int64_t axis() const { return axis_; }

  std::string_view kind() const override { return "slice"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }

 private:
  std::int64_t start_, stop_, axis_;
};

}  // namespace fastcnn
