// A tensor that training changes, and its gradient.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/tensor.h"

namespace fastcnn {

struct Parameter {
  explicit Parameter(Spec spec) : value(spec) {}

  Tensor value;
  // Up by one after every change of the value; whoever holds a view to write through may change it unseen.
  std::atomic<std::uint64_t> version = 0;
  std::atomic<int> writers = 0;
  Tensor grad;             // made at the first backward pass
  bool has_grad = false;   // grad holds a gradient; cleared by zero_grad
  bool requires_grad = true;
};

using ParameterPtr = std::shared_ptr<Parameter>;

}  // namespace fastcnn
