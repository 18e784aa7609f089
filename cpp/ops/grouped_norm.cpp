#include "ops/grouped_norm.h"

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

GroupedNorm::GroupedNorm(double eps) : eps_(eps) {
  if (eps >= 0 && std::isfinite(eps)) return;
  std::ostringstream text;
  text << "eps is " << eps << ", expected at least 0";
  throw ValueError(text.str());
}

void GroupedNorm::check_affine(Specs x, const Shape& expected) {
  for (std::size_t i = 1; i < 3; ++i) {
    if (!is_present(x, i)) continue;
    const char* name = i == 1 ? "gamma" : "beta";
    check_same_dtype(x[i], name, x[0], "input");
    if (x[i].shape != expected)
      throw ShapeError(std::string(name) + " has shape " + x[i].shape.str() + ", expected " + expected.str());
  }
}

Needs GroupedNorm::backward_needs(Specs x) const {
  const GroupedColumns g = columns_of(x[0].shape);
  const auto statistics = static_cast<std::size_t>(2 * g.samples * g.groups);
  return {.x = is_present(x, 1) ? 3u : 1u, .saved_bytes = statistics * size_of(x[0].dtype)};
}

}  // namespace fastcnn
