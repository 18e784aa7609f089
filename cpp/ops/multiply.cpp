#include "ops/multiply.h"

#include "ops/checks.h"

namespace fastcnn {

Attributes Multiply::attributes() const { return {}; }

std::vector<Spec> Multiply::infer(Specs x) const {
  check_same(x, 1);
  return {x[0]};
}

Needs Multiply::backward_needs(Specs x) const {
  if (x.size() == 1) return {};
  return {.x = static_cast<std::uint32_t>((std::uint64_t{1} << x.size()) - 1)};
}

}  // namespace fastcnn
