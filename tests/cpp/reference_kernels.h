// Kernels of plain loops on one thread, for the ops that the tests of the graph use.
#pragma once

#include <memory>

#include "graph/kernel.h"
#include "ops/op.h"

namespace fastcnn::testing {

// Null for other ops and types, and for ops of several outputs.
std::unique_ptr<Kernel> make_reference_kernel(const OpPtr& op, Pass pass, Specs x);

}  // namespace fastcnn::testing
