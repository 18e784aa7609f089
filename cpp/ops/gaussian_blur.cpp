#include "ops/gaussian_blur.h"

#include <cmath>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

GaussianBlur::GaussianBlur(std::int64_t size, double sigma) : sigma_(sigma) {
  constexpr std::int64_t max = 1 << 16;
  if (size < 1 || size > max || size % 2 == 0)
    throw ValueError("size is " + std::to_string(size) + ", expected an odd number of 1 to " + std::to_string(max));
  if (!(sigma > 0)) throw ValueError("sigma is " + std::to_string(sigma) + ", expected a positive number");
  for (std::int64_t i = -size / 2; i <= size / 2; ++i) {
    const double distance = static_cast<double>(i) / sigma;
    filter_.push_back(std::exp(-distance * distance / 2));
  }
  const double sum = std::accumulate(filter_.begin(), filter_.end(), 0.0);
  for (double& tap : filter_) tap /= sum;
}

OpPtr GaussianBlur::make(AttributeReader& attributes) {
  const std::int64_t size = attributes.integer("size", 5);
  return std::make_shared<GaussianBlur>(size, attributes.real("sigma", 1.0));
}

Attributes GaussianBlur::attributes() const { return {{"size", static_cast<std::int64_t>(filter_.size())}, {"sigma", sigma_}}; }

std::string GaussianBlur::describe(Specs) const {
  std::ostringstream out;
  out << "GaussianBlur " << filter_.size() << "x" << filter_.size() << ", sigma=" << sigma_;
  return out.str();
}

std::vector<Spec> GaussianBlur::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  return {x[0]};
}

}  // namespace fastcnn
