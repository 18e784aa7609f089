#include "ops/checks.h"

#include <cmath>
#include <sstream>

#include "core/error.h"

namespace fastcnn {

void check_inputs(Specs x, std::size_t min, std::size_t max, std::string_view names) {
  if (x.size() >= min && x.size() <= max) return;
  const std::string range = std::to_string(min) + (min == max ? "" : " to " + std::to_string(max));
  throw ShapeError("got " + std::to_string(x.size()) + (x.size() == 1 ? " input" : " inputs") + ", expected " + range +
                   " (" + std::string(names) + ")");
}

void check_floating(const Spec& spec) { check_floating(spec, "input", 0); }

void check_floating(const Spec& spec, std::string_view name, std::optional<int> input) {
  if (is_floating(spec.dtype)) return;
  throw DTypeError(std::string(name) + " has type " + name_of(spec.dtype) + ", expected float32 or float64", input);
}

void check_same_dtype(const Spec& spec, std::string_view name, const Spec& other, std::string_view other_name,
                      std::optional<int> input) {
  if (spec.dtype == other.dtype) return;
  throw DTypeError(std::string(name) + " has type " + name_of(spec.dtype) + ", expected " + name_of(other.dtype) +
                       ", as " + std::string(other_name),
                   input);
}

void check_rank(const Spec& spec, int rank, std::string_view axes) { check_rank(spec, rank, axes, "input", 0); }

void check_rank(const Spec& spec, int rank, std::string_view axes, std::string_view name, std::optional<int> input) {
  if (spec.shape.rank() == rank) return;
  throw ShapeError(std::string(name) + " has rank " + std::to_string(spec.shape.rank()) + ", expected " +
                       std::to_string(rank) + " " + std::string(axes) + "; got " + spec.shape.str(),
                   input);
}

void check_same_shape(const Spec& spec, std::string_view name, const Spec& other, std::string_view other_name,
                      std::optional<int> input) {
  if (spec.shape == other.shape) return;
  throw ShapeError(std::string(name) + " has shape " + spec.shape.str() + ", expected " + other.shape.str() + ", as " +
                       std::string(other_name),
                   input);
}

void check_eps(double eps) {
  if (eps >= 0 && std::isfinite(eps)) return;
  std::ostringstream text;
  text << "eps is " << eps << ", expected at least 0";
  throw ValueError(text.str());
}

void check_gamma_beta(Specs x, const Shape& expected) {
  for (std::size_t i = 1; i < 3; ++i) {
    if (!is_present(x, i)) continue;
    const char* name = i == 1 ? "gamma" : "beta";
    check_same_dtype(x[i], name, x[0], "input");
    if (x[i].shape != expected)
      throw ShapeError(std::string(name) + " has shape " + x[i].shape.str() + ", expected " + expected.str());
  }
}

void check_same(Specs x, std::size_t min) {
  constexpr std::size_t max = 32;  // bits of Needs::x
  if (x.size() < min || x.size() > max)
    throw ShapeError("got " + std::to_string(x.size()) + (x.size() == 1 ? " input" : " inputs") + ", expected " +
                     std::to_string(min) + " to " + std::to_string(max));
  check_floating(x[0], "input 0", 0);
  for (std::size_t i = 1; i < x.size(); ++i) {
    const std::string name = "input " + std::to_string(i);
    check_same_dtype(x[i], name, x[0], "input 0", static_cast<int>(i));
    check_same_shape(x[i], name, x[0], "input 0", static_cast<int>(i));
  }
}

void check_random_stream(std::int64_t stream) {
  if (stream < 0 || stream >= 1 << 23)
    throw ValueError("stream must lie between 0 and 2^23 - 1, got " + std::to_string(stream));
}

int check_axis(std::int64_t axis, int rank) {
  if (axis >= -rank && axis < rank) return static_cast<int>(axis < 0 ? axis + rank : axis);
  throw ValueError("axis " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank));
}

}  // namespace fastcnn
