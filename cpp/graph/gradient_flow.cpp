#include "graph/gradient_flow.h"

#include <algorithm>

namespace fastcnn {
namespace {

// Calls f(value) for the inputs of a node that are there and through which gradients flow.
template <class F>
void for_each_differentiable(const Graph& graph, const Node& node, F&& f) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    if (v != no_value && is_floating(graph.spec(v).dtype) && node.op->differentiable(static_cast<int>(i))) {
      f(static_cast<std::size_t>(v));
    }
  }
}

}  // namespace

GradientFlow gradient_flow(const Graph& graph, Mode mode) {
  GradientFlow flow;
  flow.wanted.assign(graph.values().size(), false);
  flow.runs.assign(graph.nodes().size(), false);
  if (mode == Mode::inference) return flow;

  for (const GraphInput& input : graph.inputs()) {
    flow.wanted[static_cast<std::size_t>(input.value)] = input.requires_grad;
  }
  for (const GraphParameter& p : graph.parameters()) {
    flow.wanted[static_cast<std::size_t>(p.value)] = p.parameter->requires_grad;
  }
  for (const Node& node : graph.nodes()) {
    for_each_differentiable(graph, node, [&](std::size_t v) {
      if (!flow.wanted[v]) return;
      for (const ValueId y : node.outputs)
        if (is_floating(graph.spec(y).dtype)) flow.wanted[static_cast<std::size_t>(y)] = true;
    });
  }

  std::vector<bool> arrives(graph.values().size(), false);
  for (const GraphOutput& output : graph.outputs()) {
    if (output.seeded) arrives[static_cast<std::size_t>(output.value)] = true;
  }
  for (std::size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    flow.runs[i] = std::ranges::any_of(node.outputs, [&](ValueId v) {
      const auto y = static_cast<std::size_t>(v);
      return arrives[y] && flow.wanted[y];
    });
    if (flow.runs[i]) for_each_differentiable(graph, node, [&](std::size_t v) { arrives[v] = true; });
  }
  return flow;
}

}  // namespace fastcnn
