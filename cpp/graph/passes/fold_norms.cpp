#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"

namespace fastcnn {

// Weights are made anew from parameters alone.
constexpr std::uint32_t all_but_first = ~1u;

Graph fold_norms(const Graph& graph) {
  return fuse(graph, [&](const Node& node, const Producers& producers) -> std::optional<Fusion> {
    const std::optional<Epilogue> norm = node.op->as_epilogue(graph.input_specs(node));
    if (!norm || !std::holds_alternative<ChannelNorm>(*norm) || !graph.are_parameters(node, all_but_first)) return {};
    const Node* producer = producers.sole(node.inputs[0]);
    if (producer == nullptr || !graph.are_parameters(*producer, all_but_first)) return {};
    OpPtr op = producer->op->fused_with(*norm, graph.input_specs(*producer));
    if (op == nullptr) return {};
    std::vector<ValueId> inputs = producer->inputs;
    inputs.insert(inputs.end(), node.inputs.begin() + 1, node.inputs.end());
    return Fusion{producer, std::move(op), std::move(inputs)};
  });
}

}  // namespace fastcnn
