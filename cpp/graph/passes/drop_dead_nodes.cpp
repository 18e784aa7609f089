#include <algorithm>
#include <ranges>

#include "graph/passes/passes.h"
#include "graph/passes/rebuild.h"

namespace fastcnn {

Graph drop_dead_nodes(const Graph& graph) {
  std::vector<bool> alive(graph.values().size(), false);
  for (const GraphOutput& output : graph.outputs()) alive[static_cast<std::size_t>(output.value)] = true;
  const auto is_read = [&](const Node& node) {
    return std::ranges::any_of(node.outputs, [&](ValueId v) { return alive[static_cast<std::size_t>(v)]; });
  };
  for (const Node& node : graph.nodes() | std::views::reverse) {
    if (!is_read(node)) continue;
    for (const ValueId v : node.inputs) {
      if (v != no_value) alive[static_cast<std::size_t>(v)] = true;
    }
  }
  Rebuild rebuild(graph);
  for (const Node& node : graph.nodes()) {
    if (is_read(node)) rebuild.copy(node);
  }
  return rebuild.finish();
}

}  // namespace fastcnn
