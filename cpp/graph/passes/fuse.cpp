#include "graph/passes/fuse.h"

#include <utility>

#include "graph/passes/rebuild.h"

namespace fastcnn {

Producers::Producers(const Graph& graph) : graph_(graph), readers_(graph.values().size(), 0) {
  for (const Node& node : graph.nodes()) {
    for (const ValueId v : node.inputs) {
      if (v != no_value) ++readers_[static_cast<std::size_t>(v)];
    }
  }
  for (const GraphOutput& output : graph.outputs()) ++readers_[static_cast<std::size_t>(output.value)];
}

const Node* Producers::sole(ValueId value) const {
  if (value == no_value || readers_[static_cast<std::size_t>(value)] != 1) return nullptr;
  const Value& v = graph_.values()[static_cast<std::size_t>(value)];
  if (v.kind != Value::Kind::node) return nullptr;
  const Node& node = graph_.nodes()[static_cast<std::size_t>(v.index)];
  return node.outputs.size() == 1 ? &node : nullptr;
}

Graph fuse(const Graph& graph, const std::function<std::optional<Fusion>(const Node&, const Producers&)>& rule) {
  const Producers producers(graph);
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<std::optional<Fusion>> fusions(nodes.size());
  std::vector<bool> taken(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::optional<Fusion> fusion = rule(nodes[i], producers);
    if (!fusion) continue;
    const auto producer = static_cast<std::size_t>(fusion->producer - nodes.data());
    if (fusions[producer]) continue;  // it has become another op
    taken[producer] = true;
    fusions[i] = std::move(fusion);
  }
  Rebuild rebuild(graph);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (taken[i]) continue;
    if (fusions[i]) {
      const Node& producer = *fusions[i]->producer;
      std::vector<std::string> layers = producer.layers;
      layers.insert(layers.end(), nodes[i].layers.begin(), nodes[i].layers.end());
      rebuild.add(nodes[i].outputs, fusions[i]->op, fusions[i]->inputs, std::move(layers));
    } else {
      rebuild.copy(nodes[i]);
    }
  }
  return rebuild.finish();
}

}  // namespace fastcnn
