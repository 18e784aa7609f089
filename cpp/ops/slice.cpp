#include "ops/slice.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

Slice::Slice(std::int64_t start, std::int64_t stop, std::int64_t axis) : start_(start), stop_(stop), axis_(axis) {
  if (start < 0 || start >= stop)
    throw ValueError("start is " + std::to_string(start) + " and stop " + std::to_string(stop) +
                     ", expected 0 <= start < stop");
}

OpPtr Slice::make(AttributeReader& attributes) {
  const std::int64_t start = attributes.integer("start", 0);
  return std::make_shared<Slice>(start, attributes.integer("stop", 0), attributes.integer("axis", 1));
}

Attributes Slice::attributes() const { return {{"start", start_}, {"stop", stop_}, {"axis", axis_}}; }

std::string Slice::describe(Specs) const {
  return "Slice " + std::to_string(start_) + ":" + std::to_string(stop_) + ", axis=" + std::to_string(axis_);
}

std::vector<Spec> Slice::infer(Specs x) const {
  check_inputs(x, 1, 1, "x");
  check_floating(x[0]);
  const int axis = check_axis(axis_, x[0].shape.rank());
  Spec y = x[0];
  if (stop_ > y.shape[axis])
    throw ShapeError("stop is " + std::to_string(stop_) + ", but axis " + std::to_string(axis) + " has " +
                     std::to_string(y.shape[axis]) + " elements; x=" + x[0].shape.str());
  y.shape[axis] = stop_ - start_;
  return {y};
}

}  // namespace fastcnn
