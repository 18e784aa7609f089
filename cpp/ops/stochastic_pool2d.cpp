#include "ops/stochastic_pool2d.h"

#include "ops/checks.h"

namespace fastcnn {

StochasticPool2d::StochasticPool2d(const PoolSpec& windows, bool sample, std::int64_t stream)
    : windows_(windows), sample_(sample), stream_(stream) {
  check_random_stream(stream);
}

OpPtr StochasticPool2d::make(Attributes& attributes) {
  const PoolSpec windows = read_pool(attributes);
  const bool sample = attributes.flag("sample", true);
  return std::make_shared<StochasticPool2d>(windows, sample, attributes.integer("stream", 0));
}

std::string StochasticPool2d::describe(Specs) const {
  return describe_pool("StochasticPool2d", windows_) + (sample_ ? "" : ", mean");
}

Spec StochasticPool2d::infer(Specs x) const { return infer_pool(windows_, x); }

Needs StochasticPool2d::backward_needs(Specs x) const {
  if (!sample_) return {.x = 1, .y = true};
  return {.saved_bytes = pool_winners_bytes(pooling(x[0].shape), x[0].shape[0])};
}

// Of the mean's gradient: the sums of a window.
ScratchSize StochasticPool2d::scratch(Specs x, Phase phase) const {
  if (sample_ || phase != Phase::backward) return {};
  return {.per_thread = static_cast<std::size_t>(x[0].shape[1]) * size_of(x[0].dtype)};
}

}  // namespace fastcnn
