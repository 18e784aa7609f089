#include "ops/local_response_norm.h"

#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

LocalResponseNorm::LocalResponseNorm(const Lrn& lrn) : lrn_(lrn) {
  if (lrn.size < 1) throw ValueError("size must be at least 1, got " + std::to_string(lrn.size));
}

OpPtr LocalResponseNorm::make(AttributeReader& attributes) {
  return std::make_shared<LocalResponseNorm>(Lrn{.size = attributes.integer("size", 5),
                                                 .alpha = attributes.real("alpha", 1e-4),
                                                 .beta = attributes.real("beta", 0.75),
                                                 .k = attributes.real("k", 1.0),
                                                 .blocked = attributes.flag("blocked", false)});
}

Attributes LocalResponseNorm::attributes() const {
  return {{"size", lrn_.size},
          {"alpha", lrn_.alpha},
          {"beta", lrn_.beta},
          {"k", lrn_.k},
          {"blocked", lrn_.blocked}};
}

std::string LocalResponseNorm::describe(Specs) const {
  std::ostringstream out;
  out << "LocalResponseNorm size=" << lrn_.size << ", alpha=" << lrn_.alpha << ", beta=" << lrn_.beta
      << ", k=" << lrn_.k << (lrn_.blocked ? ", blocked" : "");
  return out.str();
}

std::vector<Spec> LocalResponseNorm::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  check_rank(x[0], 4, "(n, c, h, w)");
  return {x[0]};
}

}  // namespace fastcnn
