#include <algorithm>
#include <span>

#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"

namespace fastcnn {
namespace {

// Whether all that a node reads but its first input are parameters, from which others can be prepared.
bool rests_on_parameters(const Graph& graph, const Node& node) {
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId v) {
    return v == no_value || graph.values()[static_cast<std::size_t>(v)].kind == Value::Kind::parameter;
  });
}

}  // namespace

Graph fold_norms(const Graph& graph) {
  return fuse(graph, [&](const Node& node, const Producers& producers) -> std::optional<Fusion> {
    const std::optional<ChannelNorm> norm = node.op->as_channel_norm(graph.input_specs(node));
    if (!norm || !rests_on_parameters(graph, node)) return {};
    const Node* producer = producers.sole(node.inputs[0]);
    if (producer == nullptr || !rests_on_parameters(graph, *producer)) return {};
    OpPtr op = producer->op->fused_with(*norm, graph.input_specs(*producer));
    if (op == nullptr) return {};
    std::vector<ValueId> inputs = producer->inputs;
    inputs.insert(inputs.end(), node.inputs.begin() + 1, node.inputs.end());
    return Fusion{producer, std::move(op), std::move(inputs)};
  });
}

}  // namespace fastcnn
