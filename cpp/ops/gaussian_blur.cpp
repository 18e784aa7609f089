#include "ops/gaussian_blur.h"

#include <cmath>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

GaussianBlur::GaussianBlur(std::int64_t size, double sigma) : sigma_(sigma) {
  constexpr std::int64_t most = 1 << 16;
  if (size < 1 || size > most || size % 2 == 0)
    throw ValueError("size is " + std::to_string(size) + ", expected an odd number of 1 to " + std::to_string(most));
  if (!(sigma > 0)) throw ValueError("sigma is " + std::to_string(sigma) + ", expected a positive number");
  for (std::int64_t i = -size / 2; i <= size / 2; ++i) {
    const double distance = static_cast<double>(i) / sigma;
    filter_.push_back(std::exp(-distance * distance / 2));
  }
  const double sum = std::accumulate(filter_.begin(), filter_.end(), 0.0);
  for (double& tap : filter_) tap /= sum;
}

OpPtr GaussianBlur::make(Attributes& attributes) {
  const std::int64_t size = attributes.integer("size", 5);
  return std::make_shared<GaussianBlur>(size, attributes.real("sigma", 1.0));
}

std::string GaussianBlur::describe(Specs) const {
  std::ostringstream out;
  out << "GaussianBlur " << filter_.size() << "x" << filter_.size() << ", sigma=" << sigma_;
  return out.str();
}

Spec GaussianBlur::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  return x[0];
}

// One row of an image between zeros.
ScratchSize GaussianBlur::scratch(Specs x, Phase) const {
  const std::int64_t pixels = x[0].shape[3] + static_cast<std::int64_t>(filter_.size()) - 1;
  return {.per_thread = static_cast<std::size_t>(pixels * x[0].shape[1]) * size_of(x[0].dtype)};
}

}  // namespace fastcnn
