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

void Rebuild::copy(const Node& node) { add(node.outputs, node.op, node.inputs, node.layers); }

void Rebuild::add(const std::vector<ValueId>& outputs, OpPtr op, const std::vector<ValueId>& inputs,
                  std::vector<std::string> layers) {
  std::vector<ValueId> mapped;
  for (const ValueId v : inputs) mapped.push_back(v == no_value ? no_value : map_[static_cast<std::size_t>(v)]);
  const std::vector<ValueId> made = graph_.add_node(std::move(op), std::move(mapped), std::move(layers));
  for (std::size_t i = 0; i < outputs.size(); ++i) map_[static_cast<std::size_t>(outputs[i])] = made[i];
}

Graph Rebuild::finish() {
  for (const GraphOutput& output : source_.outputs()) {
    graph_.output(map_[static_cast<std::size_t>(output.value)], output.seeded);
  }
  return std::move(graph_);
}

}  // namespace fastcnn
