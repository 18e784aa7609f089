// A tensor that training changes, and its gradient.
#pragma once

#include <memory>

#include "core/tensor.h"

namespace fastcnn {

struct Parameter {
  explicit Parameter(Spec spec) : value(spec) {}

  Tensor value;
  Tensor grad;             // made at the first backward pass
  bool has_grad = false;   // grad holds a gradient; cleared by zero_grad
  bool requires_grad = true;
};

using ParameterPtr = std::shared_ptr<Parameter>;

}  // namespace fastcnn
