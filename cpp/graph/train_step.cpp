#include "graph/train_step.h"

#include <algorithm>

namespace fastcnn {
namespace {

void fill_with_ones(View y) {
  dispatch_floating(y.spec.dtype, [&]<class T>() { std::fill_n(y.as<T>(), y.spec.shape.numel(), T{1}); });
}

}  // namespace

void train_step(Executor& executor, std::span<SgdSlot> slots, std::span<const SgdSettings> groups,
                RandomState random) {
  executor.forward(random);
  const Graph& graph = executor.plan().graph();
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    if (graph.outputs()[i].seeded) fill_with_ones(executor.output_grad(static_cast<int>(i)));
  }
  for (const GraphParameter& p : graph.parameters()) p.parameter->has_grad = false;
  executor.backward();
  sgd_step(slots, groups);
}

}  // namespace fastcnn
