#include <algorithm>
#include <array>

#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"

namespace fastcnn {

Graph fuse_adds(const Graph& graph) {
  return fuse(graph, [&](const Node& node, const Producers& producers) -> std::optional<Fusion> {
    const std::optional<Epilogue> sum = node.op->as_epilogue(graph.input_specs(node));
    if (!sum || !std::holds_alternative<ResidualAdd>(*sum) || node.inputs.size() != 2) return {};
    // Of two candidates the later one: the other's value exists when it runs.
    std::array<ValueId, 2> values{node.inputs[0], node.inputs[1]};
    if (values[0] < values[1]) std::swap(values[0], values[1]);
    for (std::size_t i = 0; i < 2; ++i) {
      const Node* producer = producers.sole(values[i]);
      if (producer == nullptr) continue;
      OpPtr op = producer->op->fused_with(*sum, graph.input_specs(*producer));
      if (op == nullptr) continue;
      std::vector<ValueId> inputs = producer->inputs;
      inputs.push_back(values[1 - i]);
      return Fusion{producer, std::move(op), std::move(inputs)};
    }
    return {};
  });
}

}  // namespace fastcnn
