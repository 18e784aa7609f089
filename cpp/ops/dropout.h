// Dropout (Hinton et al. 2012): in training each element is 0 with probability p. So that its mean stays the same,
// the others are divided by 1 - p in training (`Scaling::training`, "inverted"), or all are multiplied by it at
// inference (`inference`, cuda-convnet2's dropout2). The mask is a pure function of the run's random state, of `stream`
// and of the element's index, so backward makes it again and nothing is kept.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Dropout final : public Op {
 public:
  enum class Scaling { training, inference };

  // The random ops of one model take different streams. Throws ValueError unless 0 <= p <= 1, and as
  // check_random_stream.
  explicit Dropout(double p = 0.5, std::int64_t stream = 0, Scaling scaling = Scaling::training);
  // p (0.5), stream (0), scaling ("training" or "inference").
  static OpPtr make(AttributeReader& attributes);

  double p() const { return p_; }
  std::int64_t stream() const { return stream_; }
  Scaling scaling() const { return scaling_; }

  std::string_view kind() const override { return "dropout"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {}; }
  bool is_cheap() const override { return true; }

 private:
  double p_;
  std::int64_t stream_;
  Scaling scaling_;
};

}  // namespace fastcnn
