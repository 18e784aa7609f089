#include "graph/recomputation.h"

#include <algorithm>
#include <cstdint>

namespace fastcnn {
namespace {

// What is small stays: it costs little memory, and a step more costs time.
constexpr std::size_t min_bytes = 1 << 20;
// Nodes to be run again, at the most, before a value is there.
constexpr int max_chain = 6;
// Of a training step's cost, what may go into products that are computed again.
constexpr double max_cost = 0.01;

std::size_t output_bytes(const Graph& graph, const Node& node) {
  std::size_t bytes = 0;
  for (const ValueId v : node.outputs) bytes += graph.spec(v).bytes();
  return bytes;
}

// Of a forward pass, in floating-point operations: the node's own, and those that a processor does while the operands
// come and go.
double cost_of(const Graph& graph, const Node& node) {
  constexpr double operations_per_byte = 12;
  std::size_t bytes = output_bytes(graph, node);
  for (const ValueId v : node.inputs) bytes += v == no_value ? 0 : graph.spec(v).bytes();
  return 2.0 * static_cast<double>(node.op->macs(graph.input_specs(node))) +
         operations_per_byte * static_cast<double>(bytes);
}

// Nodes with products whose outputs would be kept: those that give most memory for what they cost, while the budget
// lasts. The backward pass is taken to cost twice what the forward pass does.
std::vector<bool> find_affordable(const Graph& graph, const std::vector<bool>& droppable) {
  struct Candidate {
    std::size_t node;
    double cost, cost_per_byte;
  };
  std::vector<Candidate> candidates;
  double budget = 0;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    const double cost = cost_of(graph, node);
    budget += max_cost * 3 * cost;
    if (!droppable[static_cast<std::size_t>(node.outputs[0])] || node.op->macs(graph.input_specs(node)) == 0) continue;
    candidates.push_back({n, cost, cost / static_cast<double>(output_bytes(graph, node))});
  }
  std::ranges::stable_sort(candidates, {}, &Candidate::cost_per_byte);
  std::vector<bool> affordable(graph.nodes().size(), false);
  for (const Candidate& candidate : candidates) {
    if (candidate.cost > budget) continue;
    budget -= candidate.cost;
    affordable[candidate.node] = true;
  }
  return affordable;
}

}  // namespace

std::vector<bool> find_dropped(const Graph& graph, const std::vector<bool>& kept, const std::vector<bool>& fixed,
                               Recomputed recomputed) {
  std::vector<bool> droppable(graph.values().size(), false);
  for (const Node& node : graph.nodes()) {
    if (node.outputs.size() > 1) continue;
    const auto y = static_cast<std::size_t>(node.outputs[0]);
    droppable[y] = kept[y] && !fixed[y] && output_bytes(graph, node) >= min_bytes;
  }
  std::vector<bool> affordable(graph.nodes().size(), false);
  if (recomputed == Recomputed::cheap_and_affordable) affordable = find_affordable(graph, droppable);
  std::vector<bool> dropped(graph.values().size(), false);
  // Per value: nodes to be run in a row until it is there; 0 where it is kept.
  std::vector<int> chain(graph.values().size(), 0);
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    const auto y = static_cast<std::size_t>(node.outputs[0]);
    const std::size_t bytes = output_bytes(graph, node);
    bool can_return = node.outputs.size() == 1 && (node.op->is_cheap() || affordable[n]);
    int longest = 0;
    for (const ValueId v : node.inputs) {
      if (v == no_value) continue;
      const auto i = static_cast<std::size_t>(v);
      longest = std::max(longest, chain[i]);
      // What would come back for this node alone should not be larger than what it makes.
      if (!kept[i] && graph.spec(v).bytes() > bytes) can_return = false;
    }
    can_return = can_return && longest < max_chain;
    dropped[y] = droppable[y] && can_return;
    for (const ValueId v : node.outputs) {
      const auto i = static_cast<std::size_t>(v);
      if (!kept[i] || dropped[i]) chain[i] = can_return ? longest + 1 : max_chain;
    }
  }
  return dropped;
}

}  // namespace fastcnn
