#include <ranges>

#include "graph/passes/passes.h"
#include "graph/passes/rebuild.h"

namespace fastcnn {

Graph drop_dead_nodes(const Graph& graph) {
  std::vector<bool> alive(graph.values().size(), false);
  for (const GraphOutput& output : graph.outputs()) alive[static_cast<std::size_t>(output.value)] = true;
  for (const Node& node : graph.nodes() | std::views::reverse) {
    if (!alive[static_cast<std::size_t>(node.output)]) continue;
    for (const ValueId v : node.inputs) {
      if (v != no_value) alive[static_cast<std::size_t>(v)] = true;
    }
  }
  Rebuild rebuild(graph);
  for (const Node& node : graph.nodes()) {
    if (alive[static_cast<std::size_t>(node.output)]) rebuild.copy(node);
  }
  return rebuild.finish();
}

}  // namespace fastcnn
