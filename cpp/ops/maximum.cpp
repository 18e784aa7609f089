#include "ops/maximum.h"

#include "ops/checks.h"

namespace fastcnn {

Attributes Maximum::attributes() const { return {}; }

std::vector<Spec> Maximum::infer(Specs x) const {
  check_same(x, 1);
  return {x[0]};
}

Needs Maximum::backward_needs(Specs x) const {
  return {.x = static_cast<std::uint32_t>((std::uint64_t{1} << x.size()) - 1)};
}

}  // namespace fastcnn
