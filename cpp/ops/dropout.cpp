#include "ops/dropout.h"

#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

Dropout::Dropout(double p, std::int64_t stream) : p_(p), stream_(static_cast<std::uint64_t>(stream)) {
  if (!(p >= 0 && p <= 1)) throw ValueError("p must lie between 0 and 1, got " + std::to_string(p));
  if (stream < 0 || stream >= 1 << 23)
    throw ValueError("stream must lie between 0 and 2^23 - 1, got " + std::to_string(stream));
}

OpPtr Dropout::make(Attributes& attributes) {
  return std::make_shared<Dropout>(attributes.real("p", 0.5), attributes.integer("stream", 0));
}

std::string Dropout::describe(Specs) const {
  std::ostringstream out;
  out << "Dropout p=" << p_;
  return out.str();
}

Spec Dropout::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  return x[0];
}

}  // namespace fastcnn
