// Which values have a gradient and which nodes run backward.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "graph/passes/passes.h"

namespace fastcnn {

struct GradientFlow {
  // Per value: a parameter with requires_grad, an input that asks, or computed from one of these, so
  // that its gradient is of use. Nothing is, at inference.
  std::vector<bool> wanted;
  // Per node: the gradient of an output arrives from a seeded output, and is wanted.
  std::vector<bool> runs;

  bool is_wanted(ValueId value) const { return value != no_value && wanted[static_cast<std::size_t>(value)]; }
};

GradientFlow gradient_flow(const Graph& graph, Mode mode);

}  // namespace fastcnn
