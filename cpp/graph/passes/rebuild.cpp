#include "graph/passes/rebuild.h"

#include <utility>

namespace fastcnn {

Rebuild::Rebuild(const Graph& source) : source_(source), map_(source.values().size(), no_value) {
  for (const GraphInput& input : source.inputs()) {
    map_[static_cast<std::size_t>(input.value)] =
        graph_.input(source.spec(input.value), input.name, input.requires_grad);
  }
  for (const GraphParameter& p : source.parameters()) {
    map_[static_cast<std::size_t>(p.value)] = graph_.parameter(p.parameter, p.name);
  }
}

void Rebuild::copy(const Node& node) { copy(node, node.op, node.name); }

void Rebuild::copy(const Node& node, OpPtr op, std::string name) {
  std::vector<ValueId> inputs;
  for (const ValueId v : node.inputs) {
    inputs.push_back(v == no_value ? no_value : map_[static_cast<std::size_t>(v)]);
  }
  map_[static_cast<std::size_t>(node.output)] = graph_.add(std::move(op), std::move(inputs), std::move(name));
}

void Rebuild::alias(ValueId value, ValueId as) {
  map_[static_cast<std::size_t>(value)] = map_[static_cast<std::size_t>(as)];
}

Graph Rebuild::finish() {
  for (const GraphOutput& output : source_.outputs()) {
    graph_.output(map_[static_cast<std::size_t>(output.value)], output.seeded);
  }
  return std::move(graph_);
}

}  // namespace fastcnn
