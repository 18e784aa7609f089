// The noisy rectified linear unit (Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines",
// 2010, section 2): in training y = max(x + sqrt(s) z, 0) with s = sigmoid(x) and z standard normal, so that the noise
// has the variance s; else y = max(x, 0). z is a pure function of the run's random state, of `stream` and of the
// element's index in storage, so backward makes it again.
#pragma once

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class NoisyRelu final : public Op {
 public:
  // The random ops of one model take different streams. Throws ValueError as check_random_stream.
  explicit NoisyRelu(std::int64_t stream = 0);
  static OpPtr make(AttributeReader& attributes);

  std::int64_t stream() const { return stream_; }

  std::string_view kind() const override { return "noisy_relu"; }
  Attributes attributes() const override;
  std::string describe(Specs) const override { return "NoisyReLU"; }
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs) const override { return {.x = 1}; }

 private:
  std::int64_t stream_;
};

}  // namespace fastcnn
