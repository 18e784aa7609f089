// What becomes of gradients as soon as they are complete: the seam of optimisers, and of whatever wraps one, such as the
// sum over many processes.
#pragma once

#include <cstddef>

#include "core/gradient_pieces.h"
#include "core/tensor.h"
#include "graph/graph.h"

namespace fastcnn {

class ParameterUpdate {
 public:
  virtual ~ParameterUpdate() = default;
  // Before a training step on this graph, which counts the parameters. Throws before anything changes.
  virtual void begin_step(const Graph& graph) = 0;
  // Drops the gradients that parameters hold.
  virtual void zero_grad() = 0;
  // The gradient of a parameter of the graph is complete; it lives for the call alone. In the order of the plan.
  virtual void apply(std::size_t parameter, ConstView gradient) = 0;
  // The same, for a gradient that comes in pieces, on any thread, until end().
  virtual GradientPieces& begin_pieces(std::size_t parameter) = 0;
  virtual void end_pieces() = 0;
};

}  // namespace fastcnn
