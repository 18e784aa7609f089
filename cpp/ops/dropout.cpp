#include "ops/dropout.h"

#include <iterator>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

namespace {

constexpr std::string_view names[] = {"training", "inference"};

Dropout::Scaling scaling_of(std::string_view name) {
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (names[i] == name) return static_cast<Dropout::Scaling>(i);
  throw ValueError("unknown scaling \"" + std::string(name) + "\", expected training or inference");
}

}  // namespace

Dropout::Dropout(double p, std::int64_t stream, Scaling scaling) : p_(p), stream_(stream), scaling_(scaling) {
  if (!(p >= 0 && p <= 1)) throw ValueError("p must lie between 0 and 1, got " + std::to_string(p));
  check_random_stream(stream);
}

OpPtr Dropout::make(AttributeReader& attributes) {
  const double p = attributes.real("p", 0.5);
  const std::int64_t stream = attributes.integer("stream", 0);
  return std::make_shared<Dropout>(p, stream, scaling_of(attributes.text("scaling", "training")));
}

Attributes Dropout::attributes() const {
  const std::string scaling(names[static_cast<std::size_t>(scaling_)]);
  return {{"p", p_}, {"stream", stream_}, {"scaling", scaling}};
}

std::string Dropout::describe(Specs) const {
  std::ostringstream out;
  out << "Dropout p=" << p_;
  if (scaling_ != Scaling::training) out << ", scaling=" << names[static_cast<std::size_t>(scaling_)];
  return out.str();
}

std::vector<Spec> Dropout::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  return {x[0]};
}

}  // namespace fastcnn
