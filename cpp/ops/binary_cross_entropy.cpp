#include "ops/binary_cross_entropy.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr BinaryCrossEntropy::make(AttributeReader& attributes) {
  const bool from_logits = attributes.flag("from_logits", true);
  return std::make_shared<BinaryCrossEntropy>(from_logits, read_reduction(attributes));
}

Attributes BinaryCrossEntropy::attributes() const {
  return {{"from_logits", from_logits_}, {"reduction", std::string(name_of(reduction_))}};
}

std::string BinaryCrossEntropy::describe(Specs) const {
  return std::string("BinaryCrossEntropy of ") + (from_logits_ ? "logits" : "probabilities") +
         ", reduction=" + std::string(name_of(reduction_));
}

std::vector<Spec> BinaryCrossEntropy::infer(Specs x) const {
  check_inputs(x, 2, 3, "x, target and optionally the weight of positive answers");
  check_floating(x[0]);
  check_same_dtype(x[1], "target", x[0], "input");
  check_same_shape(x[1], "target", x[0], "input");
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "pos_weight", x[0], "input");
    const bool by_class = x[0].shape.rank() == 2 && x[2].shape == Shape{x[0].shape[1]};
    if (!by_class && x[2].shape != Shape{1})
      throw ShapeError("pos_weight has shape " + x[2].shape.str() +
                       ", expected (1,) or, for input (n, c), (c,); got " + x[0].shape.str());
  }
  return {Spec{reduction_ == Reduction::none ? x[0].shape : Shape{}, x[0].dtype}};
}

Needs BinaryCrossEntropy::backward_needs(Specs x) const { return {.x = is_present(x, 2) ? 0b111u : 0b11u}; }

}  // namespace fastcnn
