#include "ops/softmax_cross_entropy.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

OpPtr SoftmaxCrossEntropy::make(Attributes& attributes) {
  return std::make_shared<SoftmaxCrossEntropy>(read_reduction(attributes));
}

std::string SoftmaxCrossEntropy::describe(Specs) const {
  return "SoftmaxCrossEntropy, reduction=" + std::string(name_of(reduction_));
}

Spec SoftmaxCrossEntropy::infer(Specs x) const {
  check_inputs(x, 2, 2, "logits and target");
  check_floating(x[0], "logits");
  check_rank(x[0], 2, "(n, c)", "logits");
  if (x[0].shape[1] < 1) throw ShapeError("logits have no classes; got " + x[0].shape.str());
  if (x[1].dtype != DType::int64)
    throw DTypeError(std::string("target has type ") + name_of(x[1].dtype) + ", expected int64, the class of each row");
  if (const Shape expected{x[0].shape[0]}; x[1].shape != expected)
    throw ShapeError("target has shape " + x[1].shape.str() + ", expected " + expected.str() + " for logits " +
                     x[0].shape.str());
  return {reduction_ == Reduction::none ? x[1].shape : Shape{}, x[0].dtype};
}

Needs SoftmaxCrossEntropy::backward_needs(Specs x) const { return {.x = 0b10, .saved_bytes = x[0].bytes()}; }

// One loss per row, before they are added up.
ScratchSize SoftmaxCrossEntropy::scratch(Specs x, Phase phase) const {
  if (phase == Phase::backward || reduction_ == Reduction::none) return {};
  return {.shared = static_cast<std::size_t>(x[0].shape[0]) * size_of(x[0].dtype)};
}

}  // namespace fastcnn
