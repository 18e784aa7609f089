#include "ops/noisy_relu.h"

#include "ops/checks.h"

namespace fastcnn {

NoisyRelu::NoisyRelu(std::int64_t stream) : stream_(stream) { check_random_stream(stream); }

OpPtr NoisyRelu::make(AttributeReader& attributes) {
  return std::make_shared<NoisyRelu>(attributes.integer("stream", 0));
}

Attributes NoisyRelu::attributes() const { return {{"stream", stream_}}; }

std::vector<Spec> NoisyRelu::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  return {x[0]};
}

}  // namespace fastcnn
