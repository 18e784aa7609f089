#include "ops/channel_norm.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

void check_channel_norm(Specs x, std::size_t at, std::int64_t channels) {
  constexpr std::string_view names[] = {"gamma", "beta", "mean", "variance"};
  for (std::size_t i = 0; i < 4; ++i) {
    const Spec& spec = x[at + i];
    if (!is_present(x, at + i)) {
      if (i < 2) continue;
      throw ValueError(std::string(names[i]) + " is missing");
    }
    check_same_dtype(spec, names[i], x[0], "input");
    if (spec.shape != Shape{channels}) {
      throw ShapeError(std::string(names[i]) + " has shape " + spec.shape.str() + ", expected " +
                       Shape{channels}.str());
    }
  }
}

std::optional<ChannelNorm> read_channel_norm(AttributeReader& attributes) {
  if (!attributes.has("norm_eps")) {
    attributes.real("norm_eps", 0);  // known, for what finish() suggests
    return std::nullopt;
  }
  const double eps = attributes.real("norm_eps", 0);
  check_eps(eps);
  return ChannelNorm{eps};
}

void write_channel_norm(Attributes& attributes, const std::optional<ChannelNorm>& norm) {
  if (norm) attributes.insert_or_assign("norm_eps", norm->eps);
}

}  // namespace fastcnn
