// Convolution algorithms by name.
#pragma once

#include <vector>

#include "backend/cpu/backend.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "core/error.h"

namespace fastcnn::testing {

// Whether the algorithm that an op asks for by name does all passes of it.
inline bool is_taken(const OpPtr& op, const std::vector<Spec>& x) {
  try {
    for (const Pass pass : {Pass::forward, Pass::backward}) cpu_backend()->make(op, pass, x);
    return true;
  } catch (const ValueError&) {
    return false;
  }
}

}  // namespace fastcnn::testing
