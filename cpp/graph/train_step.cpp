#include "graph/train_step.h"

#include "core/error.h"

namespace fastcnn {

void train_step(Executor& executor, ParameterUpdate& update, RandomState random) {
  if (executor.plan().mode() != Mode::training || executor.plan().gradients() != Gradients::applied) {
    throw Error("train_step: expected a plan for training that applies gradients");
  }
  const Graph& graph = executor.plan().graph();
  update.begin_step(graph);
  executor.forward(random);
  if (!executor.is_loss_finite()) return;
  executor.fill_output_grads(1);
  for (const GraphParameter& p : graph.parameters()) p.parameter->has_grad = false;
  update.zero_grad();
  executor.backward(update);
}

}  // namespace fastcnn
