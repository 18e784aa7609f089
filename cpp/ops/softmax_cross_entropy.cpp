#include "ops/softmax_cross_entropy.h"

#include <sstream>

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

SoftmaxCrossEntropy::SoftmaxCrossEntropy() : SoftmaxCrossEntropy(Options{}) {}

SoftmaxCrossEntropy::SoftmaxCrossEntropy(const Options& options) : options_(options) {
  if (options.label_smoothing >= 0 && options.label_smoothing <= 1) return;
  throw ValueError("label_smoothing is " + std::to_string(options.label_smoothing) + ", expected 0 to 1");
}

OpPtr SoftmaxCrossEntropy::make(AttributeReader& attributes) {
  Options options;
  options.reduction = read_reduction(attributes);
  options.ignore_index = attributes.integer("ignore_index", options.ignore_index);
  options.label_smoothing = attributes.real("label_smoothing", options.label_smoothing);
  return std::make_shared<SoftmaxCrossEntropy>(options);
}

Attributes SoftmaxCrossEntropy::attributes() const {
  return {{"reduction", std::string(name_of(options_.reduction))},
          {"ignore_index", options_.ignore_index},
          {"label_smoothing", options_.label_smoothing}};
}

std::string SoftmaxCrossEntropy::describe(Specs) const {
  std::ostringstream text;
  text << "SoftmaxCrossEntropy, reduction=" << name_of(options_.reduction);
  if (options_.label_smoothing != 0) text << ", label_smoothing=" << options_.label_smoothing;
  return text.str();
}

std::vector<Spec> SoftmaxCrossEntropy::infer(Specs x) const {
  check_inputs(x, 2, 3, "logits, target and optionally weights of the classes");
  check_floating(x[0], "logits");
  check_rank(x[0], 2, "(n, c)", "logits");
  const std::int64_t classes = x[0].shape[1];
  if (classes < 1) throw ShapeError("logits have no classes; got " + x[0].shape.str());
  const Shape rows{x[0].shape[0]};
  if (x[1].shape.rank() == 2 && is_floating(x[1].dtype)) {
    check_same_dtype(x[1], "target", x[0], "logits");
    check_same_shape(x[1], "target", x[0], "logits");
    if (options_.ignore_index >= 0)
      throw ValueError("ignore_index needs targets that are classes, not distributions");
  } else if (x[1].dtype != DType::int64) {
    throw DTypeError(std::string("target has type ") + name_of(x[1].dtype) +
                     ", expected int64, the class of each row");
  } else if (x[1].shape != rows) {
    throw ShapeError("target has shape " + x[1].shape.str() + ", expected " + rows.str() + " for logits " +
                     x[0].shape.str());
  }
  if (is_present(x, 2)) {
    check_same_dtype(x[2], "weight", x[0], "logits");
    if (const Shape expected{classes}; x[2].shape != expected)
      throw ShapeError("weight has shape " + x[2].shape.str() + ", expected " + expected.str() + ", one per class");
  }
  return {Spec{options_.reduction == Reduction::none ? rows : Shape{}, x[0].dtype}};
}

// The gradient of a distribution needs log p of classes whose p is too small for a number: the logits, and with the
// probabilities (n, c) what makes them logarithms, 2 n numbers.
Needs SoftmaxCrossEntropy::backward_needs(Specs x) const {
  const std::uint32_t weight = is_present(x, 2) ? 0b100 : 0;
  if (!is_floating(x[1].dtype)) return {.x = 0b10 | weight, .saved_bytes = x[0].bytes()};
  const auto logarithms = 2 * static_cast<std::size_t>(x[0].shape[0]) * size_of(x[0].dtype);
  return {.x = 0b11 | weight, .saved_bytes = x[0].bytes() + logarithms};
}

}  // namespace fastcnn
