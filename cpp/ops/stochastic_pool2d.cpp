#include "ops/stochastic_pool2d.h"

#include "ops/checks.h"

namespace fastcnn {

StochasticPool2d::StochasticPool2d(const PoolSpec& windows, bool sample, std::int64_t stream)
    : windows_(windows), sample_(sample), stream_(stream) {
  check_random_stream(stream);
}

OpPtr StochasticPool2d::make(AttributeReader& attributes) {
  const PoolSpec windows = read_pool(attributes);
  const bool sample = attributes.flag("sample", true);
  return std::make_shared<StochasticPool2d>(windows, sample, attributes.integer("stream", 0));
}

Attributes StochasticPool2d::attributes() const {
  Attributes attributes{{"sample", sample_}, {"stream", stream_}};
  write_pool(attributes, windows_);
  return attributes;
}

std::string StochasticPool2d::describe(Specs) const {
  return describe_pool("StochasticPool2d", windows_) + (sample_ ? "" : ", mean");
}

std::vector<Spec> StochasticPool2d::infer(Specs x) const { return {infer_pool(windows_, x)}; }

Needs StochasticPool2d::backward_needs(Specs x) const {
  if (!sample_) return {.x = 1, .y = 1};
  return {.saved_bytes = pool_winners_bytes(pooling(x[0].shape), x[0].shape[0])};
}

}  // namespace fastcnn
