#include "graph/recomputation.h"

#include <algorithm>

namespace fastcnn {
namespace {

// What is small stays: it costs little memory, and a step more costs time.
constexpr std::size_t least_bytes = 1 << 20;
// Nodes to be run again, at the most, before a value is there.
constexpr int longest_chain = 6;

}  // namespace

std::vector<bool> find_dropped(const Graph& graph, const std::vector<bool>& kept, const std::vector<bool>& fixed) {
  std::vector<bool> dropped(graph.values().size(), false);
  // Per value: nodes to be run in a row until it is there; 0 where it is kept.
  std::vector<int> chain(graph.values().size(), 0);
  for (const Node& node : graph.nodes()) {
    const auto y = static_cast<std::size_t>(node.output);
    const std::size_t bytes = graph.spec(node.output).bytes();
    bool can_return = node.op->is_cheap();
    int longest = 0;
    for (const ValueId v : node.inputs) {
      if (v == no_value) continue;
      const auto i = static_cast<std::size_t>(v);
      longest = std::max(longest, chain[i]);
      // What would come back for this node alone should not be larger than what it makes.
      if (!kept[i] && graph.spec(v).bytes() > bytes) can_return = false;
    }
    can_return = can_return && longest < longest_chain;
    dropped[y] = kept[y] && !fixed[y] && can_return && bytes >= least_bytes;
    if (kept[y] && !dropped[y]) continue;
    chain[y] = can_return ? longest + 1 : longest_chain;
  }
  return dropped;
}

}  // namespace fastcnn
