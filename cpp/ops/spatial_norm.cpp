#include "ops/spatial_norm.h"

#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

SpatialNorm::SpatialNorm(const Options& options) : options_(options) {
  if (options.size < 1) throw ValueError("size must be at least 1, got " + std::to_string(options.size));
}

OpPtr SpatialNorm::make(AttributeReader& attributes) {
  Options options;
  options.size = attributes.integer("size", options.size);
  options.alpha = attributes.real("alpha", options.alpha);
  options.beta = attributes.real("beta", options.beta);
  options.k = attributes.real("k", options.k);
  options.contrast = attributes.flag("contrast", options.contrast);
  return std::make_shared<SpatialNorm>(options);
}

Attributes SpatialNorm::attributes() const {
  return {{"size", options_.size},
          {"alpha", options_.alpha},
          {"beta", options_.beta},
          {"k", options_.k},
          {"contrast", options_.contrast}};
}

std::string SpatialNorm::describe(Specs) const {
  std::ostringstream out;
  out << (options_.contrast ? "ContrastNorm" : "SpatialResponseNorm") << " size=" << options_.size
      << ", alpha=" << options_.alpha << ", beta=" << options_.beta << ", k=" << options_.k;
  return out.str();
}

std::vector<Spec> SpatialNorm::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  return {x[0]};
}

}  // namespace fastcnn
